import asyncio
import traceback
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.commissioning.probe import SHOWN, Findings, probe, record
from gateway.config.models import IdentityStyle, Reader
from gateway.identity import Identities
from readers.driver import Kind, Report
from readers.errors import FrameError, LinkError
from readers.obis import ObisCode
from readers.observations import (
    Condition,
    DeviceInfo,
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
from readers.quantities import Quantity
from simulator.device import Sighting
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.support.card_readers import CANARY, PIN, Act, card_reads, install, leaks

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [Sighting(start_us, antenna_port, EPC, -55.0)] if until_us > start_us else []


def reader_at(port: int) -> Reader:
    return Reader(name="gate-1", driver="m100", port=f"tcp://127.0.0.1:{port}")


def test_probe_tells_who_answers_and_what_it_hears() -> None:
    async def go() -> Findings:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            return await probe(reader_at(server.port), 1.5)

    findings = asyncio.run(go())
    text = "\n".join(findings.lines())
    assert findings.fine, text
    assert findings.heard > 0
    assert f"gate-1 (m100, {findings.port}): answers" in text
    assert "    30751FEB705C5904E3D50D70 antenna 1: " in text
    assert "gate-1 is being read on antenna 1" in text


def test_probe_of_a_closed_port_tells_the_trouble() -> None:
    findings = asyncio.run(probe(reader_at(1), 1))
    assert not findings.fine
    assert findings.lines()[0] == "gate-1 (m100, tcp://127.0.0.1:1): does not answer"
    assert findings.lines()[1].startswith("  trouble: ")


def test_probe_of_a_mute_device_is_not_fine() -> None:
    async def mute(port: object) -> None:
        del port
        await asyncio.sleep(60)

    async def go() -> Findings:
        async with DeviceServer(mute) as server:
            return await probe(reader_at(server.port), 0.3)

    findings = asyncio.run(go())
    assert not findings.fine
    assert "does not answer" in findings.lines()[0]


def test_record_writes_the_conversation(tmp_path: Path) -> None:
    file = tmp_path / "m100.toml"

    async def go() -> Findings:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            return await record(reader_at(server.port), 1.5, file)

    findings = asyncio.run(go())
    assert findings.fine
    text = file.read_text()
    assert 'driver = "m100"' in text
    assert EPC.hex().upper() in text
    assert text.count("send = ") >= 2


def test_record_of_a_closed_port_raises_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LinkError):
        asyncio.run(record(reader_at(1), 1, tmp_path / "x.toml"))
    assert not (tmp_path / "x.toml").exists()


def test_findings_show_values_conditions_and_rejections_once() -> None:
    findings = Findings("line", "dlt645", "/dev/ttyUSB0")
    quantity = Quantity.VOLTAGE
    reading = Reading(quantity, ObisCode.parse("1-0:32.7.0*255"), Decimal("230.1"))
    for observation in (
        DeviceInfo(manufacturer="Acme\x1b[2J", model="Meter", source="m-1"),
        DeviceInfo(manufacturer="Acme\x1b[2J", model="Meter", source="m-1"),
        Watching(source="m-1"),
        Watching(source="m-2", active=False),
        Readings(1, [reading], source="m-1"),
        Signals(1, [Signal("weight", Decimal("12.5"), "kg")]),
        Condition(
            "relay_open", active=True, severity=Severity.FAULT, key="1", detail="the relay is open", source="m-1"
        ),
        Condition("clock_wrong", active=True, source="m-1"),
        Condition("clock_wrong", active=False, source="m-1"),
        Rejected("checksum", 3),
    ):
        findings.report(observation)
    assert findings.lines() == [
        "line (dlt645, /dev/ttyUSB0): answers",
        "  is m-1, Acme\N{REPLACEMENT CHARACTER}[2J, Meter",
        "  m-1 is being read",
        "  m-2 is not being read",
        f"    m-1 {quantity}: 230.1 {quantity.unit}",
        "    line weight: 12.5 kg",
        "  fault: m-1 relay_open 1: the relay is open",
        "  rejected 3 times: checksum",
    ]


@pytest.mark.parametrize(
    ("identities", "shown"),
    [
        (Identities(IdentityStyle.RAW), "card nfca:04CA7A12F0AD9B antenna 1: 2 presentations"),
        (Identities(IdentityStyle.KEYED, b"0123456789abcdef"), "card nfca#"),
        (Identities(IdentityStyle.KEYED), "card nfca whole, 7 bytes, hidden: point CREDENTIALS_DIRECTORY at"),
        (None, "card nfca whole, 7 bytes, hidden: point CREDENTIALS_DIRECTORY at"),
    ],
)
def test_cards_are_shown_as_the_site_names_them(identities: Identities | None, shown: str) -> None:
    findings = Findings("door", "osdp", "/dev/ttyUSB0", identities)
    for _ in range(2):
        findings.report(card_reads(CANARY, keys=PIN))
    assert findings.fine
    lines = findings.lines()
    assert lines[1].startswith(f"    {shown}")
    if identities is None or identities.style is IdentityStyle.KEYED:
        assert leaks("\n".join(lines).encode()) == []
    assert PIN not in lines[1]


RAW = Identities(IdentityStyle.RAW)
NUMBER = CANARY.partition(":")[2]
NUMBERS: dict[str, str] = {}


def door(port: int) -> Reader:
    return Reader(name="door", driver="scripted_card", port=f"tcp://127.0.0.1:{port}")


async def quiet(port: object) -> None:
    """A device that the scripted driver never asks."""
    del port
    await asyncio.sleep(60)


def probed(act: Act, monkeypatch: pytest.MonkeyPatch, identities: Identities | None) -> str:
    install(monkeypatch, act)

    async def go() -> Findings:
        async with DeviceServer(quiet) as server:
            return await probe(door(server.port), 0.3, identities)

    return "\n".join(asyncio.run(go()).lines())


async def complain(report: Report) -> None:
    report(Condition("unknown_card", active=True, key=NUMBER, detail=f"the card {NUMBER} is damaged"))
    raise FrameError("checksum", "should be 40", bytes.fromhex(NUMBER))


def test_conditions_and_trouble_of_a_card_reader_hold_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for identities in (None, Identities(IdentityStyle.KEYED), Identities(IdentityStyle.KEYED, b"0123456789abcdef")):
        text = probed(complain, monkeypatch, identities)
        assert leaks(text.encode()) == []
        assert "trouble: checksum: should be 40 in ..." in text
        assert "unknown_card ...: the card ... is damaged" in text


def test_a_site_that_names_cards_by_number_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = probed(complain, monkeypatch, RAW)
    assert f"the card {NUMBER} is damaged" in text
    assert "should be 40 in 04 CA 7A" in text


async def fail(report: Report) -> None:
    del report
    try:
        NUMBERS[NUMBER]
    except KeyError as error:
        raise ValueError(f"no such card: {NUMBER}") from error


async def leave(report: Report) -> None:
    del report


def test_a_fault_of_a_card_driver_holds_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        RuntimeError, match=r"driver scripted_card has a fault: it ended with ValueError: no such"
    ) as hidden:
        probed(fail, monkeypatch, None)
    shown = "".join(traceback.format_exception(hidden.value))
    assert leaks(shown.encode()) == []
    assert "in fail" in shown
    with pytest.raises(RuntimeError, match=f"no such card: {NUMBER}") as told:
        probed(fail, monkeypatch, RAW)
    assert isinstance(told.value.__cause__, ValueError)
    with pytest.raises(RuntimeError, match="has a fault: it returned"):
        probed(leave, monkeypatch, None)


def test_a_recording_of_cards_is_for_its_owner_and_the_screen_shows_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def present(report: Report) -> None:
        report(card_reads(CANARY, keys=PIN))
        await asyncio.sleep(60)

    install(monkeypatch, present)
    file = tmp_path / "door.toml"

    async def go() -> Findings:
        async with DeviceServer(quiet) as server:
            return await record(door(server.port), 0.3, file)

    findings = asyncio.run(go())
    assert findings.kind is Kind.CARD
    assert leaks("\n".join(findings.lines()).encode()) == []
    assert CANARY in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_findings_list_few_tags_of_many_and_say_when_none_came() -> None:
    findings = Findings("gate", "llrp", "tcp://x")
    findings.report(Watching(antenna_ports=frozenset({2, 1})))
    assert findings.lines()[-1].startswith("  heard no tag, card or reading")
    findings.report(TagReads.of(1, *(TagRead(number.to_bytes(2), 1) for number in range(50)), TagRead(b"", 1)))
    lines = findings.lines()
    assert lines[1:3] == ["  gate is being read on antenna 1, 2", "  hears 51 reads of 51 tags"]
    assert len(lines) == 3 + SHOWN
