"""The command as people run it: a process of its own, its exit code and what it prints."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.contract.events import Event, Evidence
from gateway.contract.ledger import Account, EdgeLedger
from gateway.contract.topics import Topics
from gateway.event_journal import EventJournal
from gateway.mqtt import session
from simulator.device import Sighting
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.gateway.config.test_faults import BROKEN
from tests.support.broker import Broker, free_port

COMMAND = [sys.executable, "-P", "-c", "from gateway.cli import main; main()"]
SITE = '[site]\nname = "hamburg"\nstate_dir = "{state}"\n[mqtt]\nport = {port}\n'


def tagwharf(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TAGWHARF", "STATE_DIR"))}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**inherited, "COLUMNS": "200", **environment},
    )


def site_file(tmp_path: Path, port: int = 1883, more: str = "") -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(state=tmp_path / "state", port=port) + more)
    return path


def test_check_of_a_good_file_sums_it_up(tmp_path: Path) -> None:
    reader = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\n'
    path = site_file(tmp_path, more=reader)
    done = tagwharf("check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{path}: ok: site hamburg, gateway edge-1; readers: 1 m100; zones 0, portals 0, rules 0; sinks: events\n"
    )


def test_check_of_a_broken_file_prints_all_faults_and_ends_with_78() -> None:
    done = tagwharf("check", BROKEN / "names.toml")
    assert done.returncode == 78
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith(f"{BROKEN}/names.toml:7: reader[edge-1].name")
    assert done.stderr == "8 faults; nothing was started\n"


def test_check_tells_warnings_and_still_is_well(tmp_path: Path) -> None:
    done = tagwharf("check", site_file(tmp_path))
    assert done.returncode == 0
    assert f"{tmp_path}/site.toml: warning: no [[reader]]" in done.stdout


def test_site_file_by_environment(tmp_path: Path) -> None:
    assert tagwharf("check", TAGWHARF_CONFIG=str(site_file(tmp_path))).returncode == 0
    assert "absent.toml: cannot be read" in tagwharf("check", TAGWHARF_CONFIG="absent.toml").stdout


def test_check_starts_quickly_because_it_loads_little(tmp_path: Path) -> None:
    program = "import sys; from gateway.cli import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "check", str(site_file(tmp_path))],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded.isdisjoint({"aiomqtt", "influxdb_client", "nats", "prometheus_client", "starlette", "uvicorn"})
    assert "pydantic" in loaded


@pytest.mark.parametrize("command", ["probe", "ledger", "where", "record"])
def test_faults_of_the_site_file_end_every_command_with_78(command: str, tmp_path: Path) -> None:
    arguments = {"where": ["3005"], "record": ["gate", "--to", str(tmp_path / "new")]}.get(command, [])
    done = tagwharf(command, *arguments, "--config", BROKEN / "empty.toml")
    assert done.returncode == 78
    assert done.stderr == f"{BROKEN}/empty.toml: site is missing\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "edgy"], "'edgy' is no daemon; choose edge, rules or console"),
        (["probe", "gaet"], "no reader is named 'gaet' (did you mean \"gate\"?); known: gate"),
        (["probe", "--for", "soon"], "'soon' is no duration above zero; write 250ms, 30s, 5m, 1.5h or 7d"),
        (["record", "gate", "--to", "."], "Invalid value for --to: . exists; name a new file"),
        (["simmulate"], "No such command 'simmulate'"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    reader = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\n'
    done = tagwharf(*arguments, TAGWHARF_CONFIG=str(site_file(tmp_path, more=reader)))
    assert done.returncode == 2
    assert message in done.stderr


def test_version() -> None:
    assert tagwharf("--version").stdout.startswith("tagwharf 0.")


def test_drivers_lists_each() -> None:
    done = tagwharf("drivers")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == sorted(
        line.split()[0] for line in done.stdout.splitlines()[1:]
    )
    assert "m100    rfid   serial 115200 baud" in done.stdout


def test_run_becomes_the_daemon_and_keeps_its_exit_code() -> None:
    done = tagwharf("run", "console", "--config", BROKEN / "empty.toml")
    assert done.returncode == 78
    assert "empty.toml: site is missing" in done.stdout


def test_simulate_hands_its_arguments_to_the_simulator() -> None:
    done = tagwharf("simulate", "--help")
    assert done.returncode == 0
    assert "--seed" in done.stdout


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [Sighting(start_us, antenna_port, b"\x30\x75", -55.0)] if until_us > start_us else []


def test_probe_and_record_of_a_reader_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    table = '[[reader]]\nname = "{}"\ndriver = "m100"\nport = "tcp://127.0.0.1:{}"\n'
    file = tmp_path / "conversation.toml"

    async def go() -> list[subprocess.CompletedProcess[str]]:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            readers = table.format("gate", server.port) + table.format("gone", free_port())
            config = ("--config", str(site_file(tmp_path, more=readers)))
            return [
                await asyncio.to_thread(tagwharf, "probe", "gate", "--for", "1.5s", *config),
                await asyncio.to_thread(tagwharf, "probe", "--for", "1.5s", *config),
                await asyncio.to_thread(tagwharf, "record", "gate", "--for", "1.5s", "--to", file, *config),
                await asyncio.to_thread(tagwharf, "record", "gone", "--to", tmp_path / "none", *config),
            ]

    one, both, recorded, gone = asyncio.run(go())
    assert one.returncode == 0, one.stderr
    assert "    3075 antenna 1: " in one.stdout
    assert both.returncode == 1
    assert "gone (m100, tcp://127.0.0.1:" in both.stdout
    assert recorded.returncode == 0, recorded.stderr
    assert 'driver = "m100"' in file.read_text()
    assert gone.returncode == 1
    assert "check address, cable and power" in gone.stderr


def test_ledger_from_the_broker_and_without_it(tmp_path: Path) -> None:
    good = EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=0,
        next_sequence=2,
        watermark=1,
        tag_reads=Account(heard=5, judged=5),
        readings=Account(),
        signals=Account(),
    )
    lost = msgspec.structs.replace(good, tag_reads=Account(heard=5, judged=4))

    async def publish(broker: Broker, ledger: EdgeLedger) -> None:
        async with session(broker.settings, client_id="test") as link:
            await link.publish(Topics("hamburg").ledger("edge-1"), msgspec.json.encode(ledger), retain=True)

    with Broker(tmp_path / "broker") as broker:
        config = ("--config", site_file(tmp_path, broker.port))
        asyncio.run(publish(broker, good))
        balanced = tagwharf("ledger", *config)
        asyncio.run(publish(broker, lost))
        unbalanced = tagwharf("ledger", *config)
    away = tagwharf("ledger", *config)
    assert balanced.returncode == 0, balanced.stderr
    assert balanced.stdout.endswith("\nbalanced\n")
    assert unbalanced.returncode == 1
    assert "DIFFERENCE +1" in unbalanced.stdout
    assert away.returncode == 69
    assert "the broker does not answer" in away.stderr


def test_where_looks_into_the_event_journal(tmp_path: Path) -> None:
    directory = tmp_path / "state/events"
    evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2, reads=9)
    event = Event(id="0" * 20, type="arrived", at_us=1_000_000, subject="3005", zone="yard", evidence=evidence)
    write_event(directory, event)
    config = ("--config", site_file(tmp_path))
    found = tagwharf("where", "3005", *config)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "arrived" in found.stdout
    assert "yard" in found.stdout
    absent = tagwharf("where", "3006", *config)
    assert absent.returncode == 1
    assert "3006: no event in" in absent.stdout


def test_generate_check_says_what_is_not_current() -> None:
    done = tagwharf("generate", "--check")
    stale = [line for line in done.stdout.splitlines() if line.startswith("not current: ")]
    assert done.returncode == (1 if stale else 0), done.stderr


def write_event(directory: Path, event: Event) -> None:
    evidence = event.evidence
    journal = EventJournal(directory, keep_days=1, now_us=lambda: event.at_us)
    columns = (event.at_us, event.id, event.type, event.subject, event.name, event.zone, None, None, None, None, None)
    batches = (evidence.gateway, evidence.epoch, evidence.sequence_from, evidence.sequence_to)
    assert journal.append([{"events": [(*columns, *batches, msgspec.json.encode(event))]}]) == []
    journal.close()
