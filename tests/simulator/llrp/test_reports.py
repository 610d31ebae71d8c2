from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.device import Sighting
from simulator.llrp.codec import Decoder, Node, decode, encode_parameter, node
from simulator.llrp.reports import (
    MOST_READS_PER_MESSAGE,
    MOST_ROWS_HELD,
    Collector,
    Content,
    Row,
    Source,
    Trigger,
    gen2_crc,
    message,
    records,
)
from tests.simulator.llrp.client import report_spec

HERE = Source(1, 2, 3)
EVERYTHING = Content(**{field.name: field.name != "uptime" for field in dataclasses.fields(Content)})
EPC = bytes.fromhex("3074257BF7194E4000001A85")


def tags(data: bytes) -> list[Node]:
    (frame,) = Decoder().feed(message(data, 5, 1))
    assert (frame.type, frame.message_id, frame.version) == (61, 5, 1)
    return decode(frame).all("TagReportData")


def parts(tag: Node) -> dict[str, object]:
    return {part.name: next(iter(part.fields.values())) for part in tag.children}


def test_everything_is_written_in_the_order_of_the_standard() -> None:
    row = Row(EPC, 4, -54.26, 7, 1000, 2000, 3, bytes.fromhex("E2801160"), 90.0)
    (tag,) = tags(b"".join(records(EVERYTHING, HERE, [row])))
    assert list(parts(tag).items()) == [
        ("EPC_96", int.from_bytes(EPC, "big")),
        ("ROSpecID", 1),
        ("SpecIndex", 2),
        ("InventoryParameterSpecID", 3),
        ("AntennaID", 4),
        ("PeakRSSI", -54),
        ("ChannelIndex", 7),
        ("FirstSeenTimestampUTC", 1000),
        ("LastSeenTimestampUTC", 2000),
        ("TagSeenCount", 3),
        ("C1G2_PC", 0x3000),
        ("C1G2_CRC", gen2_crc(b"\x30\x00" + EPC)),
        ("AccessSpecID", 0),
        ("ImpinjSerializedTID", (0xE280, 0x1160)),
        ("ImpinjRFPhaseAngle", 1024),
        ("ImpinjPeakRSSI", -5426),
        ("ImpinjRFDopplerFrequency", 0),
        ("MotoTagPhase", 16_384),
    ]


def test_results_of_operations_stand_before_makers_parameters() -> None:
    results = encode_parameter(node("C1G2WriteOpSpecResult", Result=0, OpSpecID=4, NumWordsWritten=2))
    row = Row(EPC, 4, -54.0, 7, 1000, 2000, 3, b"", 0.0, 9, results)
    (tag,) = tags(b"".join(records(Content(accessspec_id=True, impinj_phase=True), HERE, [row])))
    assert [part.name for part in tag.children] == [
        "EPC_96",
        "AccessSpecID",
        "C1G2WriteOpSpecResult",
        "ImpinjRFPhaseAngle",
    ]
    assert tag.need("AccessSpecID").number("AccessSpecID") == 9


def test_reads_with_different_results_do_not_add_up() -> None:
    collector = Collector(SUM, Trigger.N_TAGS_OR_END_OF_AISPEC, 0)
    done = [(1, b"a"), (1, b"a"), (1, b"b"), (0, b"")]
    collector.add([seen(at, 1, 1) for at in range(1, 5)], HERE, 0, done)
    assert (len(collector), collector.reads) == (3, 4)


@pytest.mark.parametrize(("degrees", "raw"), [(0, 0), (90, 16_384), (180, -32_768), (270, -16_384), (359.999, 0)])
def test_zebras_phase_is_signed(degrees: float, raw: int) -> None:
    row = Row(EPC, 1, -50.0, 1, 1, 1, 1, b"", degrees)
    (tag,) = tags(b"".join(records(Content(motorola_phase=True), HERE, [row])))
    assert tag.need("MotoTagPhase").number("Phase") == raw


@given(
    st.sets(st.sampled_from([field.name for field in dataclasses.fields(Content)])),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=1, max_size=20),
)
def test_any_selection_and_any_length_of_epc_and_tid_is_well_formed(
    names: set[str], sizes: list[tuple[int, int]]
) -> None:
    content = Content(**dict.fromkeys(names, True))
    rows = [Row(bytes(epc), 1, -50.0, 1, 1, 2, 1, bytes(2 * words), 0.0) for epc, words in sizes]
    found = tags(b"".join(records(content, HERE, rows)))
    assert len(found) == len(rows)
    for tag, row in zip(found, rows, strict=True):
        epc = tag.children[0]
        assert epc.name == ("EPC_96" if len(row.epc) == 12 else "EPCData")
        names_found = {part.name for part in tag.children}
        assert ("ImpinjSerializedTID" in names_found) == (content.impinj_tid and len(row.tid) > 0)
        assert ("FirstSeenTimestampUptime" in names_found) == (content.first_seen and content.uptime)


@pytest.mark.parametrize(
    ("dbm", "peak", "centi"), [(-300.0, -128, -30000), (200.0, 127, 20000), (-400.0, -128, -32768)]
)
def test_values_beyond_the_field_are_held_at_its_end(dbm: float, peak: int, centi: int) -> None:
    content = Content(rssi=True, impinj_rssi=True, impinj_phase=True, count=True)
    (tag,) = tags(b"".join(records(content, HERE, [Row(EPC, 1, dbm, 1, 1, 1, 70_000, b"", 359.99)])))
    found = parts(tag)
    assert (found["PeakRSSI"], found["ImpinjPeakRSSI"]) == (peak, centi)
    assert (found["ImpinjRFPhaseAngle"], found["TagSeenCount"]) == (0, 65_535)


def test_the_crc_is_the_one_of_gen2() -> None:
    assert gen2_crc(b"123456789") == 0xD64E  # CRC-16/GENIBUS in the catalogue of parametrised CRC algorithms


def test_the_content_is_read_from_the_selectors() -> None:
    vendor = node(
        "ImpinjTagReportContentSelector",
        node("ImpinjEnableRFPhaseAngle", RFPhaseAngleMode=1),
        node("ImpinjEnablePeakRSSI", PeakRSSIMode=0),
    )
    memory = node("C1G2EPCMemorySelector", EnableCRC=0, EnablePCBits=1)
    spec = report_spec(vendor, memory=memory, EnableAntennaID=1, EnableTagSeenCount=1)
    assert Content.of(spec, uptime=True) == Content(antenna=True, count=True, pc=True, impinj_phase=True, uptime=True)


def seen(at_us: int, tag: int, port: int = 1, rssi: float = -50.0) -> Sighting:
    return Sighting(at_us, port, bytes([tag]) * 12, rssi)


SUM = Content(antenna=True, rssi=True, first_seen=True, last_seen=True, count=True)


def test_reads_of_one_tag_on_one_antenna_add_up() -> None:
    collector = Collector(SUM, Trigger.N_TAGS_OR_END_OF_AISPEC, 0)
    assert collector.add([seen(1, 1, 1, -60), seen(2, 1, 1, -40), seen(3, 1, 2), seen(4, 1, 1, -70)], HERE, 100) == []
    assert collector.reads == 4
    ((data, reads),) = collector.flush()
    first, second = (parts(tag) for tag in tags(data))
    assert reads == 4
    assert (first["FirstSeenTimestampUTC"], first["LastSeenTimestampUTC"]) == (101, 104)
    assert (first["PeakRSSI"], first["TagSeenCount"], first["AntennaID"]) == (-40, 3, 1)
    assert (second["AntennaID"], second["TagSeenCount"]) == (2, 1)
    assert collector.flush() == []


def test_without_antennas_in_the_report_reads_of_all_antennas_add_up() -> None:
    collector = Collector(Content(count=True), Trigger.N_TAGS_OR_END_OF_AISPEC, 0)
    collector.add([seen(1, 1, 1), seen(2, 1, 2)], HERE, 0)
    ((data, _),) = collector.flush()
    assert [parts(tag)["TagSeenCount"] for tag in tags(data)] == [2]


def test_rows_of_another_spec_do_not_add_up_when_the_spec_is_reported() -> None:
    for content, reports in ((Content(spec_index=True), 1), (Content(count=True), 0)):
        collector = Collector(content, Trigger.N_TAGS_OR_END_OF_ROSPEC, 0)
        collector.add([seen(1, 1)], HERE, 0)
        assert len(collector.add([seen(2, 1)], HERE._replace(spec_index=9), 0)) == reports


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(0, 5))
def test_no_read_is_lost_whatever_n_is(numbers: list[int], n: int) -> None:
    collector = Collector(SUM, Trigger.N_TAGS_OR_END_OF_AISPEC, n)
    due = collector.add([seen(at, tag) for at, tag in enumerate(numbers, 1)], HERE, 0)
    assert all(len(tags(data)) == n for data, _ in due)
    due += collector.flush()
    assert sum(reads for _, reads in due) == len(numbers)
    assert sum(tag.need("TagSeenCount").number("TagCount") for data, _ in due for tag in tags(data)) == len(numbers)


def test_a_large_gathering_is_split_into_messages_that_fit() -> None:
    collector = Collector(EVERYTHING, Trigger.NONE, 1)
    collector.add([Sighting(at, 1, at.to_bytes(62, "big"), -50.0, tid=bytes(24)) for at in range(2500)], HERE, 0)
    due = collector.flush()
    assert [reads for _, reads in due] == [MOST_READS_PER_MESSAGE, MOST_READS_PER_MESSAGE, 500]
    assert all(len(tags(data)) == reads for data, reads in due)


def test_what_nobody_asks_for_is_bounded_and_the_loss_counted() -> None:
    collector = Collector(SUM, Trigger.NONE, 0)
    more = 10
    collector.add([Sighting(at, 1, at.to_bytes(12, "big"), -50.0) for at in range(MOST_ROWS_HELD + more)], HERE, 0)
    assert (len(collector), collector.lost_reads) == (MOST_ROWS_HELD, more)
    times = [parts(tag)["FirstSeenTimestampUTC"] for data, _ in collector.flush() for tag in tags(data)]
    assert times[0] == more
    assert all(isinstance(a, int) and b == a + 1 for a, b in pairwise(times))
