from __future__ import annotations

import asyncio
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from readers.errors import LinkError
from readers.obis import ObisCode
from readers.observations import (
    Condition,
    DeviceInfo,
    Observation,
    Reading,
    Readings,
    Rejected,
    Severity,
    Signal,
    Signals,
    TagRead,
    TagReads,
    Watching,
)
from readers.ports.memory import MemoryPort, pair, run
from readers.ports.recording import RecordingPort, described
from readers.quantities import Phase, Quantity
from readers.rfid.llrp import LlrpDriver, LlrpSettings
from readers.rfid.m100 import M100Driver, M100Settings
from simulator.device import Sighting
from simulator.llrp.identities import impinj_r420
from simulator.llrp.reader import SimulatedReader
from simulator.rfid.m100 import serve
from tests.support.vectors import SLICINGS, replay_table


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        due = start_us // 100_000 != until_us // 100_000
        return [Sighting(start_us, antenna_port, bytes.fromhex("30751FEB705C5904E3D50D70"), -55.0)] if due else []


async def record(path: Path, seconds: float, max_bytes: int = 1 << 20) -> list[Observation]:
    ours, device = pair()
    heard: list[Observation] = []
    settings = M100Settings(rounds=20)
    port = RecordingPort(ours, path, driver="m100", settings=settings.model_dump(), max_bytes=max_bytes)
    async with port:
        driver = M100Driver(settings).run(port, port.recorded(heard.append))
        tasks = [asyncio.create_task(serve(device, OneTag())), asyncio.create_task(driver)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return heard


def test_a_recorded_conversation_is_a_vector_that_passes(tmp_path: Path) -> None:
    path = tmp_path / "recorded.toml"
    heard = run(record(path, 3.0))
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    assert content["driver"] == "m100"
    assert content["source"] == "recorded from memory at 2026-01-01T00:00:00Z"
    [exchange] = content["exchange"]
    assert sum(step.get("report", {}).get("kind") == "tag_read" for step in exchange["steps"]) == len(
        [o for o in heard if isinstance(o, TagReads)]
    )
    for slicing in SLICINGS.values():
        replay_table("m100", exchange, slicing)


def test_a_changed_recording_does_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "recorded.toml"
    run(record(path, 1.0))
    text = path.read_text(encoding="utf-8")
    [exchange] = tomllib.loads(text.replace("rssi_dbm = -55.0", "rssi_dbm = -54.0", 1))["exchange"]
    with pytest.raises(AssertionError, match=r"rssi_dbm.*-54"):
        replay_table("m100", exchange)


def test_a_recording_is_bounded_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "recorded.toml"
    heard = run(record(path, 60.0, max_bytes=5_000))
    text = path.read_text(encoding="utf-8")
    assert len(text) < 5_200
    assert text.endswith("# The recording ends here: it reached its limit of 5000 bytes.\n")
    assert tomllib.loads(text)["exchange"]
    assert len(heard) > 100  # the conversation went on


def test_the_end_of_a_link_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "recorded.toml"

    async def scene() -> None:
        ours, device = pair()
        port = RecordingPort(
            ours, path, driver="m100", settings={"region": None, "a b": 1, "names": ["a", '"b"\x7f\n'], "on": True}
        )
        assert port.baud is None
        port.set_baud(9600)
        assert await port.receive(0.5) == b""
        await port.pause(0.5)
        await device.close()
        with pytest.raises(LinkError):
            await port.receive(1)
        assert port.now_us() == ours.now_us()
        await port.close()

    run(scene())
    [exchange] = tomllib.loads(path.read_text(encoding="utf-8"))["exchange"]
    assert exchange["settings"] == {"a b": 1, "names": ["a", '"b"\x7f\n'], "on": True}
    assert exchange["steps"] == [{"pause_s": 1.0}, {"raise": "LinkError"}]


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        ours: MemoryPort = pair()[0]
        RecordingPort(ours, tmp_path / "no" / "such" / "folder", driver="m100")

    with pytest.raises(FileNotFoundError):
        run(scene())


@pytest.mark.parametrize(
    ("observation", "tables"),
    [
        (
            TagReads.of(1, TagRead(b"\x12\xab", 2, -55.5), TagRead(b"", 1, phase_deg=1.5)),
            [
                {"kind": "tag_read", "epc": "12AB", "antenna_port": 2, "rssi_dbm": -55.5, "count": 1},
                {"kind": "tag_read", "epc": "", "antenna_port": 1, "count": 1, "phase_deg": 1.5},
            ],
        ),
        (
            Readings(1, [Reading(Quantity.VOLTAGE, ObisCode(1, 0, 32, 7, 0), Decimal("230.30"), Phase.A)], "m1"),
            [
                {
                    "kind": "reading",
                    "source": "m1",
                    "quantity": "voltage",
                    "obis": "1-0:32.7.0",
                    "value": "230.30",
                    "phase": "a",
                    "quality": "good",
                }
            ],
        ),
        (Signals(1, [Signal("gpi_1", value=True)]), [{"kind": "signal", "name": "gpi_1", "value": True}]),
        (
            DeviceInfo("maker"),
            [{"kind": "device_info", "manufacturer": "maker", "model": "", "firmware": "", "serial": ""}],
        ),
        (Watching(frozenset({2, 1})), [{"kind": "watching", "antenna_ports": [1, 2], "active": True}]),
        (
            Condition("buffer_overflow", active=True, severity=Severity.FAULT, key="1"),
            [
                {
                    "kind": "condition",
                    "name": "buffer_overflow",
                    "active": True,
                    "severity": "fault",
                    "key": "1",
                    "detail": "",
                }
            ],
        ),
        (
            Rejected("checksum", 2, sample=b"\x00"),
            [{"kind": "rejected", "reason": "checksum", "count": 2, "reads_lost": 0}],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_observation_has_a_plain_form(observation: Observation, tables: list[dict[str, object]]) -> None:
    assert list(described(observation)) == tables


def test_a_recorded_llrp_conversation_passes_with_its_goodbye(tmp_path: Path) -> None:
    path = tmp_path / "recorded.toml"
    settings = LlrpSettings(antennas=(1,), report_within_s=1.0)

    async def scene() -> None:
        ours, device = pair()
        reader = asyncio.create_task(SimulatedReader(impinj_r420(), OneTag()).serve(device))
        async with RecordingPort(ours, path, driver="llrp", settings=settings.model_dump(mode="json")) as port:
            driver = asyncio.create_task(LlrpDriver(settings).run(port, port.recorded(lambda _: None)))
            await asyncio.sleep(4.0)
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)
        await asyncio.gather(reader)

    run(scene())
    (exchange,) = tomllib.loads(path.read_text(encoding="utf-8"))["exchange"]
    steps = exchange["steps"]
    at = steps.index({"cancel": True})
    assert {"report": {"kind": "watching", "antenna_ports": [], "active": True}} in steps[at:]
    for slicing in SLICINGS.values():
        replay_table("llrp", exchange, slicing)
