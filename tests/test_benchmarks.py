"""The benchmarks still run: each piece once, small. What they measure is no test's business."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import credentials, farm, feeder, llrp_decode, node_red, rs485
from benchmarks.plant import Latency, Plant, Sample
from benchmarks.processes import Process, cpu_s, memory_mib, running_broker
from benchmarks.site import EVENT_JOURNAL, Site
from gateway.config.load import load_site
from gateway.contract.batches import ReadBatch, decode
from readers.rfid.llrp.framing import Framer
from readers.rfid.llrp.reports import ReportDecoder
from simulator.llrp.load import LoadRadio


@pytest.mark.parametrize("impinj", [False, True])
def test_both_decoders_read_the_reports_that_are_measured(*, impinj: bool) -> None:
    messages = [llrp_decode.message(3, number, impinj=impinj) for number in (1, 2)]
    llrp_decode._decode_ours([b"".join(messages)], 6)
    llrp_decode._decode_sllurp(messages, 6)
    with pytest.raises(AssertionError, match="decoded 6 reads of 7"):
        llrp_decode._decode_ours(messages, 7)
    payloads = [frame.payload for frame in Framer().feed(messages[0])]
    (reads,) = ReportDecoder().decode(payloads, llrp_decode.START_US)
    assert len(set(reads.epc)) == 3  # type: ignore[union-attr]  # a Rejected would fail here, too


def test_the_command_prints_and_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(llrp_decode, "READS_A_ROUND", 200)
    monkeypatch.setattr(llrp_decode, "SLLURP_READS_A_ROUND", 200)
    monkeypatch.setattr(llrp_decode, "ROUNDS", 1)
    monkeypatch.setattr(llrp_decode, "_cpu_s", _called_in_one_second)  # so few reads may take no measurable time
    assert command.main(["--only", "llrp_decode", "--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["llrp_decode"]["reads_per_s_50"] == 200
    assert "reads_per_s_50" in capsys.readouterr().out


def _called_in_one_second(work: Callable[[], None]) -> float:
    work()
    return 1.0


def test_every_benchmark_can_be_called_and_names_its_goal() -> None:
    for name in command.NAMES:
        module = Path(str(command.__file__)).with_name(f"{name}.py")
        assert '"goal"' in module.read_text(), name


def test_a_line_of_meters_is_read_nearly_as_fast_as_its_bytes_allow() -> None:
    case = rs485.Case(9600, meters=4)
    assert 0.9 < rs485.meters_per_min(case, learning_s=10, measured_s=10) / rs485.possible_per_min(case) < 1.1
    assert rs485.possible_per_min(rs485.LIMIT_2400) == pytest.approx(50.5, abs=0.1)


def test_a_field_is_read_at_the_rate_that_was_set_last() -> None:
    field = farm.Field(3, tags=20)
    assert field.heard(1, 0, 1_000_000) == []
    field.set_rate(100.0)
    heard = field.heard(1, 0, 1_000_000)
    assert len(heard) == 100
    assert {read.epc[:4] for read in heard} == {farm.EPC_HEAD + b"\x00\x03"}
    assert list(heard) == list(LoadRadio(100.0, tags=20, prefix=farm.EPC_HEAD + b"\x00\x03").heard(1, 0, 1_000_000))
    field.set_rate(0)
    assert field.heard(1, 1_000_000, 2_000_000) == []


def test_a_probe_never_shows_the_same_tag_twice() -> None:
    probe = farm.Probe()
    assert probe.heard(1, 0, 1_000_000) == []
    probe.set_rate(1.0)
    first, second = probe.heard(1, 0, 130_000), probe.heard(1, 130_000, 1_000_000)
    assert len({read.epc for read in (*first, *second)}) == 20


def test_the_feeder_makes_batches_that_follow_each_other() -> None:
    made = feeder.batches(130, now_us=1_000_000_000)
    ordinal = 0
    for sequence, (topic, payload) in enumerate(made, start=1):
        batch = decode(payload)
        assert isinstance(batch, ReadBatch)
        assert (batch.sequence, batch.ordinal) == (sequence, ordinal)
        assert topic.endswith(f"/{batch.device}/reads")
        assert max(read.seen_at_us for read in batch.reads) < batch.received_at_us <= 1_000_000_000
        ordinal += len(batch.reads)


def test_the_site_files_are_valid(tmp_path: Path) -> None:
    path = Site(broker_port=1883, reader_ports=range(5001, 5065), probe_port=5065, sink=EVENT_JOURNAL).write(tmp_path)
    site = load_site(path)
    assert (len(site.reader), len(site.portal), len(site.zone), len(site.rule)) == (65, 8, 56, 1)


def test_a_percentile_is_found_between_the_edges_of_what_was_added() -> None:
    before = Latency({0.1: 1_000.0, 0.5: 1_000.0, float("inf"): 1_000.0})
    after = Latency({0.1: 1_000.0, 0.5: 1_100.0, float("inf"): 1_100.0})
    percentile_ms = after.since_ms(before)
    assert percentile_ms(50) == pytest.approx(300.0)
    assert percentile_ms(99) == pytest.approx(496.0)


def test_a_process_is_watched(tmp_path: Path) -> None:
    with Process("farm", tmp_path, ["benchmarks.farm", "--readers", "2"], talks=True) as process:
        assert len(process.hear()) == 2
        process.tell("count")
        assert process.hear() == {"made": 0, "sent": 0, "dropped": 0}
        assert cpu_s(process.pid) >= 0
        assert memory_mib(process.pid) > 1
        process.kill()
        with pytest.raises(RuntimeError, match="farm is not running"):
            process.pid  # noqa: B018  # the error is what is looked for


def test_a_small_plant_loses_nothing_and_shows_it(tmp_path: Path) -> None:
    with Plant(tmp_path, readers=2, probe=True) as plant:
        before = plant.sample()
        plant.rate(400)
        done: Sample = plant.measure(1.5)
        assert done.cpu_s.keys() == {"edge", "rules", "broker", "farm"}
        _, reads = plant.settle(20)
        assert reads == plant.sample().since(before).judged > 0
        plant.stop()


def test_the_flow_of_the_peer_is_whole() -> None:
    flow: list[dict[str, Any]] = node_red._flow(1883, "http://127.0.0.1:8428/write")
    ids = {node["id"] for node in flow}
    assert all(target in ids for node in flow for wires in node.get("wires", []) for target in wires)


def test_a_broker_is_there_wherever_the_benchmarks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("benchmarks.processes.program", _not_installed)
    with running_broker(tmp_path) as broker:
        assert "nats-server" in broker.description
        assert memory_mib(broker.pid) > 1


def _not_installed(name: str) -> str:
    from tests.support.servers import ServerError

    raise ServerError(f"{name} is not installed")


def test_few_cards_are_imported_and_found(tmp_path: Path) -> None:
    credentials.write_list(tmp_path / "cards.csv", 300)
    assert credentials.imported(tmp_path)["import_s"] > 0
    figures = credentials.looked_up(tmp_path, 300, 50)
    assert 0 < figures["look_up_p50_us"] <= figures["look_up_p99_us"]
    assert figures["rss_mib"] > 1
