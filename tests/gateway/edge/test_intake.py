import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import IdentityStyle
from gateway.contract.batches import (
    Batch,
    CardBatch,
    ReadBatch,
    StatusBatch,
    TickBatch,
    decode,
    encode,
    item_count,
    kind_of,
)
from gateway.edge.intake import REASONS_MOST, Intake, now_us
from gateway.edge.journal import Journal
from gateway.edge.ledger import edge_ledger
from gateway.health import Health
from gateway.identity import Identities
from readers.driver import Kind
from readers.obis import ObisCode
from readers.observations import (
    Condition,
    InForce,
    Reading,
    Readings,
    Rejected,
    Signal,
    Signals,
    TagRead,
    TagReads,
    Watching,
)
from readers.quantities import Quantity
from tests.gateway.edge.support import GATEWAY, opened
from tests.support.card_readers import CANARY, PIN, card_reads, leaks

Body = Callable[[Journal, Intake], Coroutine[Any, Any, None]]


def with_intake(directory: Path, body: Body) -> None:
    async def main() -> None:
        async with opened(directory) as journal:
            await body(journal, Intake(GATEWAY, journal, Health("edge")))

    asyncio.run(main())


async def journalled(journal: Journal) -> list[Batch]:
    await journal.flush()
    return [decode(row.payload) for row in await journal.read(1, on_their_way_from=1)]


def one(epc: int = 1) -> TagReads:
    return TagReads.of(1_000, TagRead(bytes([epc]), rssi_dbm=-50.0))


def test_lone_reads_are_gathered_into_one_batch(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {1: "gate-in"}, ())
        report(Watching(frozenset({1})))
        for index in range(100):
            report(one(index))
        ledger = edge_ledger(GATEWAY, journal, intake)
        assert (ledger.tag_reads.heard, ledger.tag_reads.waiting) == (100, 100)
        assert ledger.tag_reads.balanced
        await asyncio.sleep(0.1)
        reads = [b for b in await journalled(journal) if isinstance(b, ReadBatch)]
        assert [len(b.reads) for b in reads] == [100]
        ledger = edge_ledger(GATEWAY, journal, intake)
        assert (ledger.tag_reads.heard, ledger.tag_reads.unjudged, ledger.tag_reads.waiting) == (100, 100, 0)
        assert ledger.tag_reads.balanced

    with_intake(tmp_path, body)


def test_a_full_batch_does_not_wait(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
        report(Watching(frozenset({1})))
        for index in range(501):
            report(one(index % 256))
        assert intake.gathered("reads") == 1
        assert journal.waiting("reads") == 500

    with_intake(tmp_path, body)


def test_a_change_of_the_watch_stands_behind_the_reads_before_it(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {1: "gate-in"}, ())
        report(Watching(frozenset({1})))
        report(one())
        report(Watching(frozenset()))
        report(one())
        intake.tick()
        batches = await journalled(journal)
        assert [kind_of(b) for b in batches] == ["status", "reads", "status", "reads", "tick"]
        watched = [b.watched for b in batches if isinstance(b, StatusBatch | TickBatch)]
        assert watched == [["gate-in"], [], []]

    with_intake(tmp_path, body)


def test_details_wait_for_the_tick(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
        report(Watching(frozenset({1})))
        for index in range(50):
            report(Condition("setting_differs", active=True, key=str(index)))
        intake.tick()
        intake.tick()
        kinds = [kind_of(b) for b in await journalled(journal)]
        assert kinds == ["status", "status", "tick", "tick"]

    with_intake(tmp_path, body)


def test_a_clock_that_was_set_splits_the_batch(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
        report(TagReads.of(10**9, TagRead(b"\x01", last_seen_us=5), clock_offset_us=100))
        report(TagReads.of(10**9, TagRead(b"\x01", last_seen_us=5), clock_offset_us=10**7))
        intake.flush()
        reads = [b for b in await journalled(journal) if isinstance(b, ReadBatch)]
        assert [(b.clock_offset_us, b.reads[0].seen_at_us) for b in reads] == [(100, 105), (10**7, 10**7 + 5)]
        assert edge_ledger(GATEWAY, journal, intake).tag_reads.balanced

    with_intake(tmp_path, body)


def test_readings_signals_and_what_was_rejected(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        watched, report = intake.reader("line", "dlt645", Kind.METER, {}, ("m1",))
        reading = Reading(Quantity.VOLTAGE, ObisCode.parse("1-0:32.7.0"), Decimal("230.1"))
        report(Readings(1, [reading, reading], source="m1"))
        report(Signals(1, [Signal("relay", value=True)], source="m1"))
        report(Rejected("checksum", count=2, reads_lost=3))
        report(Rejected("noise"))
        ledger = edge_ledger(GATEWAY, journal, intake)
        assert (ledger.readings.heard, ledger.readings.dropped) == (5, {"rejected_checksum": 3})
        assert ledger.signals.heard == 1
        assert ledger.readings.balanced
        assert ledger.signals.balanced
        assert watched.devices["m1"].heard == 3

    with_intake(tmp_path, body)


KEYED = Identities(IdentityStyle.KEYED, b"0123456789abcdef")


def test_cards_are_journalled_at_once_by_name_and_counted(tmp_path: Path) -> None:
    async def body(journal: Journal, _: Intake) -> None:
        health = Health("edge")
        intake = Intake(GATEWAY, journal, health, identities=KEYED)
        watched, report = intake.reader("door", "osdp", Kind.CARD, {1: "door-in"}, ())
        report(Watching(frozenset({1})))
        report(card_reads(CANARY, "wiegand~last24:F0AD9B", keys=PIN))
        report(card_reads("nfca:08F0AD9B"))
        report(Rejected("parity", reads_lost=1))
        report(InForce({"baud": "9600"}))
        (batch,) = [b for b in await journalled(journal) if isinstance(b, CardBatch)]
        assert [card.read_point for card in batch.cards] == ["door-in", "door-in"]
        account = edge_ledger(GATEWAY, journal, intake).cards
        assert (account.heard, account.unjudged) == (4, 2)
        assert account.dropped == {"random_number": 1, "rejected_parity": 1}
        assert account.balanced
        assert watched.devices["door"].heard == 3
        typed = health.registry.get_sample_value("tagwharf_keypad_entries_dropped_total", {"reader": "door"})
        assert typed == 2
        assert all(leaks(encode(each)) == [] for each in await journalled(journal))

    with_intake(tmp_path, body)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"wiegand~last24#" in content for content in files)
    assert leaks(b"".join(files)) == []


def test_without_a_key_no_card_is_taken_and_each_is_counted(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        without = Intake(GATEWAY, journal, Health("edge"), identities=Identities(IdentityStyle.KEYED))
        for each in (intake, without):
            _, report = each.reader("door", "ascii_line", Kind.RFID, {}, ())
            report(card_reads(CANARY))
        assert [kind_of(b) for b in await journalled(journal) if item_count(b)] == []
        assert journal.dropped("cards") == {"no_card_key": 2}
        assert edge_ledger(GATEWAY, journal, without).cards.heard == 1

    with_intake(tmp_path, body)


def test_conditions_of_card_readers_hide_numbers_where_cards_go_by_name(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        raw = Intake(GATEWAY, journal, Health("edge"), identities=Identities(IdentityStyle.RAW))
        told: list[StatusBatch] = []
        for each in (intake, raw):
            _, report = each.reader("door", "osdp", Kind.CARD, {}, ())
            report(Condition("card_stuck", active=True, key="F0AD9B", detail="card 04CA7A12F0AD9B lies there"))
            each.tick()
            told.append([b for b in await journalled(journal) if isinstance(b, StatusBatch)][-1])
        hidden, shown = (batch.conditions[0] for batch in told)
        assert (hidden.key, hidden.detail) == ("...", "card ... lies there")
        assert (shown.key, shown.detail) == ("F0AD9B", "card 04CA7A12F0AD9B lies there")

    with_intake(tmp_path, body)


def test_a_frame_of_a_machine_that_was_thrown_away_held_signals(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("scale", "weighbridge", Kind.MACHINE, {}, ())
        report(Rejected("checksum", reads_lost=2))
        assert journal.dropped("signals") == {"rejected_checksum": 2}

    with_intake(tmp_path, body)


def test_reasons_of_rejection_are_bounded(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
        for index in range(500):
            report(Rejected(f"reason-{index}", reads_lost=1))
        dropped = journal.dropped("reads")
        assert len(dropped) == REASONS_MOST + 1
        assert sum(dropped.values()) == intake.heard["reads"] == 500

    with_intake(tmp_path, body)


def test_a_report_that_makes_no_sense_is_not_counted(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
        with pytest.raises(ValueError, match="gate"):
            report(TagReads(received_at_us=1, epc=[b"\x01"], antenna_port=[]))
        assert edge_ledger(GATEWAY, journal, intake).tag_reads.heard == 0

    with_intake(tmp_path, body)


def test_time_ticks_every_second(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        beats: list[int] = []
        ticking = asyncio.create_task(intake.tick_forever(lambda: beats.append(1)))
        await asyncio.sleep(1.2)
        ticking.cancel()
        assert [kind_of(b) for b in await journalled(journal)] == ["tick", "tick"]
        assert len(beats) == 2

    with_intake(tmp_path, body)


def test_everything_is_told_anew_after_a_connection(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        intake.reader("gate", "llrp", Kind.RFID, {}, ())
        intake.reader("line", "dlt645", Kind.METER, {}, ("m1",))
        intake.tell_all()
        told = [b.device for b in await journalled(journal) if isinstance(b, StatusBatch)]
        assert told == ["gate", "line", "m1"]

    with_intake(tmp_path, body)


def test_a_card_has_a_tick_of_its_own_as_soon_as_it_can_be_judged(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            intake = Intake(GATEWAY, journal, Health("edge"), identities=KEYED, settle_s=0.1)
            _, report = intake.reader("entry", "pn532", Kind.CARD, {1: "entry"}, ())
            ticking = asyncio.create_task(intake.tick_forever(lambda: None))
            for _ in range(2):  # the second comes before the tick of the first, and has one, too
                await asyncio.sleep(0.06)
                report(card_reads(CANARY, at_us=now_us()))
            await asyncio.sleep(0.3)
            ticking.cancel()
            told = [(kind_of(each), each.received_at_us) for each in await journalled(journal)]
        found = [each for each in told if each[0] != "status"]
        assert [kind for kind, _ in found] == ["tick", "cards", "cards", "tick", "tick"]
        assert all(
            tick_us - card_us >= 100_000 for (_, card_us), (_, tick_us) in zip(found[1:3], found[3:], strict=True)
        )

    asyncio.run(main())


def test_details_of_several_devices_wait_for_the_same_tick(tmp_path: Path) -> None:
    async def body(journal: Journal, intake: Intake) -> None:
        for name in ("gate-1", "gate-2", "gate-3"):
            _, report = intake.reader(name, "llrp", Kind.RFID, {}, ())
            report(Watching(frozenset({1})))
            report(Condition("setting_differs", active=True))
        intake.tick()
        kinds = [kind_of(b) for b in await journalled(journal)]
        assert kinds == ["status"] * 6 + ["tick"]

    with_intake(tmp_path, body)
