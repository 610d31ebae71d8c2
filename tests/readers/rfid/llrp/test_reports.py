from __future__ import annotations

import json
import struct
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sllurp import llrp_proto

from readers.observations import Rejected, TagReads
from readers.rfid.llrp.reader_time import LATEST_US, ReaderTime
from readers.rfid.llrp.reports import TID_OPSPEC, USER_OPSPEC, ReportDecoder, decode
from tests.readers.rfid.llrp.scripted import EPOCH_US, custom, tag, tlv

RECORDED = json.loads((Path(__file__).parents[3] / "vectors" / "rfid" / "llrp_recorded.json").read_text())
IMPINJ = 25882


def reads_of(observations: list[TagReads | Rejected]) -> list[TagReads]:
    return [observation for observation in observations if isinstance(observation, TagReads)]


def rejects_of(observations: list[TagReads | Rejected]) -> list[Rejected]:
    return [observation for observation in observations if isinstance(observation, Rejected)]


def epcs(observations: list[TagReads | Rejected]) -> list[bytes]:
    return [epc for batch in reads_of(observations) for epc in batch.epc]


# --- against sllurp's decoder ---------------------------------------------------------------------------------------


def read_result(opspec_id: int, code: int, data: bytes) -> bytes:
    """C1G2ReadOpSpecResult."""
    return tlv(349, struct.pack(">BHH", code, opspec_id, len(data) // 2) + data)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A TagReportData as the standard allows it: EPC, then any of the parameters in any order."""
    epc = draw(st.binary(max_size=40))
    body = b"\x8d" + epc if len(epc) == 12 and draw(st.booleans()) else tlv(241, struct.pack(">H", 8 * len(epc)) + epc)
    u16, time = st.integers(0, 0xFFFF), st.integers(0, (1 << 62) - 1)
    words = st.integers(0, 8).flatmap(lambda count: st.binary(min_size=2 * count, max_size=2 * count))
    optional = {
        "antenna": u16.map(lambda v: b"\x81" + struct.pack(">H", v)),
        "rssi": st.integers(-128, 127).map(lambda v: b"\x86" + struct.pack(">b", v)),
        "channel": u16.map(lambda v: b"\x87" + struct.pack(">H", v)),
        "first": time.map(lambda v: b"\x82" + struct.pack(">Q", v)),
        "last": time.map(lambda v: b"\x84" + struct.pack(">Q", v)),
        "count": u16.map(lambda v: b"\x88" + struct.pack(">H", v)),
        "rospec": st.integers(0, 0xFFFFFFFF).map(lambda v: b"\x89" + struct.pack(">I", v)),
        "pc": u16.map(lambda v: b"\x8c" + struct.pack(">H", v)),
        "crc": u16.map(lambda v: b"\x8b" + struct.pack(">H", v)),
        "phase": u16.map(lambda v: custom(IMPINJ, 56, struct.pack(">H", v))),
        "peak": st.integers(-32768, 32767).map(lambda v: custom(IMPINJ, 57, struct.pack(">h", v))),
        "doppler": st.integers(-32768, 32767).map(lambda v: custom(IMPINJ, 68, struct.pack(">h", v))),
        "foreign": st.binary(max_size=9).map(lambda v: custom(24213, 56, v)),
        "written": u16.map(lambda v: tlv(350, struct.pack(">BHH", 0, 1, v))),
        "memory": st.one_of(  # one of them: sllurp keeps the last one only
            st.builds(read_result, st.sampled_from([TID_OPSPEC, USER_OPSPEC, 1]), st.integers(0, 6), words),
            words.map(lambda v: custom(IMPINJ, 55, struct.pack(">H", len(v) // 2) + v)),
            st.binary(max_size=9).map(lambda v: tlv(349, struct.pack(">BHH", 0, 1, 0) + v)),
        ),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True))
    return tlv(240, body + b"".join(draw(optional[name]) for name in chosen))


def by_sllurp(payload: bytes) -> list[dict[str, Any]]:
    message = llrp_proto.Message_struct["RO_ACCESS_REPORT"]["decode"](payload, "RO_ACCESS_REPORT")
    rows = []
    for data in message["TagReportData"]:
        get = data.get
        centi, phase, doppler = get("ImpinjPeakRSSI"), get("ImpinjRFPhaseAngle"), get("ImpinjRFDopplerFrequency")
        result, fast = get("C1G2ReadOpSpecResult", {}), get("ImpinjSerializedTID", {})
        found = {result.get("OpSpecID"): result.get("ReadData")} if result.get("Result") == 0 else {}
        row = {
            "tid": fast.get("TID") or found.get(TID_OPSPEC) or None,
            "user_memory": found.get(USER_OPSPEC) or None,
            "epc": bytes.fromhex(data["EPC"].decode()),
            "antenna_port": get("AntennaID"),
            "rssi_dbm": get("PeakRSSI") if centi is None else centi / 100,
            "first_seen_us": get("FirstSeenTimestampUTC"),
            "last_seen_us": get("LastSeenTimestampUTC"),
            "count": get("TagSeenCount"),
            "pc_bits": get("C1G2PC"),
            "phase_deg": None if phase is None else phase * 360 / 4096,
            "doppler_hz": None if doppler is None else doppler / 16,
            "channel_index": get("ChannelIndex"),
        }
        rows.append(row)
    # LLRP 1.1, 14.2.3: enabled and absent means the same as the last one.
    last: dict[str, Any] = {"antenna_port": 0}
    for row in rows:
        for name in ("antenna_port", "rssi_dbm", "channel_index", "first_seen_us", "last_seen_us", "count"):
            if row[name] is None:
                row[name] = last.get(name)
            else:
                last[name] = row[name]
    return rows


def rows_of(observations: list[TagReads | Rejected]) -> list[dict[str, Any]]:
    rows = []
    for batch in reads_of(observations):
        for index in range(len(batch)):
            columns = {name: getattr(batch, name) for name in TagReads.__slots__}
            rows.append(
                {
                    name: column[index] if column is not None else None
                    for name, column in columns.items()
                    if name not in ("received_at_us", "clock_offset_us")
                }
            )
    return rows


def assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == {**other, "phase_deg": other["phase_deg"] and pytest.approx(other["phase_deg"])}


class AnyTime(ReaderTime):
    """Believes every time, so that what was decoded can be compared with what was sent."""

    def latest_us(self, received_at_us: int) -> int:
        del received_at_us
        return LATEST_US


@given(st.lists(st.tuples(records(), st.integers(1, 3)), max_size=8))
def test_a_report_says_what_sllurp_reads_in_it(runs: list[tuple[bytes, int]]) -> None:
    payload = b"".join(record * times for record, times in runs)
    observations = ReportDecoder(AnyTime()).decode([payload], EPOCH_US)
    assert not rejects_of(observations)
    assert_same(rows_of(observations), by_sllurp(payload))


@given(st.lists(st.lists(records(), max_size=3), max_size=6))
def test_reports_decoded_together_say_the_same(reports: list[list[bytes]]) -> None:
    payloads = [b"".join(report) for report in reports]
    together = ReportDecoder(AnyTime()).decode(payloads, EPOCH_US)
    assert not rejects_of(together)
    assert_same(rows_of(together), by_sllurp(b"".join(payloads)))
    one_by_one = ReportDecoder(AnyTime())
    assert rows_of(together) == [row for p in payloads for row in rows_of(one_by_one.decode([p], EPOCH_US))]


# --- recorded from readers -------------------------------------------------------------------------------------------


def test_reports_recorded_from_an_impinj_r420() -> None:
    payloads = [bytes.fromhex(report["payload"]) for report in RECORDED["reports"]]
    rows = rows_of(ReportDecoder().decode(payloads, EPOCH_US))
    expected = [read for report in RECORDED["reports"] for read in report["reads"]]
    assert [
        {name: row[name] for name in ("antenna_port", "rssi_dbm", "first_seen_us", "last_seen_us")}
        | {"epc": row["epc"].hex().upper()}
        for row in rows
    ] == expected


def test_a_report_recorded_from_a_bluebird_reader() -> None:
    # Published in an analysis of its traffic; the maker's tool showed EPC, -73 dBm and its own signal quality.
    decoder = ReportDecoder()
    (batch,) = reads_of(decoder.decode([bytes.fromhex(RECORDED["bluebird"]["payload"])], EPOCH_US))
    (read,) = batch.rows()
    assert read.epc.hex().upper() == RECORDED["bluebird"]["epc"]
    assert (read.rssi_dbm, read.antenna_port, read.pc_bits) == (-73, 1, 0x4400)
    assert decoder.unknown_parameters == 1


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_reads_of_one_layout_are_one_batch_of_columns() -> None:
    payload = b"".join(tag(bytes((number,)) * 12, port=1 + number % 4) for number in range(50))
    (batch,) = reads_of(decode(payload, EPOCH_US + 5))
    assert len(batch) == 50
    assert list(batch.antenna_port[:5]) == [1, 2, 3, 4, 1]
    assert batch.received_at_us == EPOCH_US + 5
    assert batch.count is None


def test_epcs_of_many_lengths_stay_in_order_and_in_one_batch() -> None:
    wanted = [bytes((number,)) * (number % 7 * 2) for number in range(40)]
    observations = decode(b"".join(tag(epc) for epc in wanted), EPOCH_US)
    assert epcs(observations) == wanted
    assert len(observations) == 1


def test_an_epc_of_96_bits_may_come_in_either_form() -> None:
    epc = bytes(range(12))
    short = tag(epc)
    long = tlv(240, tlv(241, struct.pack(">H", 96) + epc) + short[4 + 13 :])
    assert epcs(decode(short + long, EPOCH_US)) == [epc, epc]


def test_an_epc_of_odd_bits_is_padded_as_it_came() -> None:
    assert epcs(decode(tlv(240, tlv(241, struct.pack(">H", 12) + b"\xab\xc0")), EPOCH_US)) == [b"\xab\xc0"]


def test_the_same_length_with_another_structure_is_another_layout() -> None:
    one = tlv(240, b"\x8d" + bytes(12) + b"\x81\x00\x02" + b"\x88\x00\x07")
    other = tlv(240, b"\x8d" + bytes(12) + b"\x88\x00\x07" + b"\x81\x00\x02")
    decoder = ReportDecoder()
    for payload in (one * 3, other * 3, one + other + one, one * 2 + other * 2):
        for batch in reads_of(decoder.decode([payload], EPOCH_US)):
            assert set(batch.antenna_port) == {2}
            assert batch.count is not None
            assert set(batch.count) == {7}


def test_impinj_values_replace_the_coarse_ones_and_have_units() -> None:
    more = b"".join(
        custom(IMPINJ, kind, value) for kind, value in ((56, b"\x08\x00"), (57, b"\xea\xb1"), (68, b"\xff\xf0"))
    )
    (batch,) = reads_of(decode(tag(more=more) * 2, EPOCH_US))
    assert batch.phase_deg == [180.0, 180.0]
    assert batch.rssi_dbm == [-54.55, -54.55]
    assert batch.doppler_hz == [-1.0, -1.0]


def test_absent_equals_the_last_one_across_reports() -> None:
    decoder = ReportDecoder()
    decoder.decode([tag(port=3, rssi_dbm=-61)], EPOCH_US)
    (batch,) = reads_of(decoder.decode([tag(port=None, rssi_dbm=None, seen_us=None) * 2], EPOCH_US))
    assert list(batch.antenna_port) == [3, 3]
    assert list(batch.rssi_dbm or ()) == [-61, -61]
    assert list(batch.last_seen_us or ()) == [EPOCH_US, EPOCH_US]


def test_a_read_without_antenna_has_the_one_that_is_in_use() -> None:
    (batch,) = reads_of(ReportDecoder(antenna_port=2).decode([tag(port=None)], EPOCH_US))
    assert list(batch.antenna_port) == [2]
    assert list(reads_of(decode(tag(port=None), EPOCH_US))[0].antenna_port) == [0]


def test_uptimes_are_mapped_to_host_time() -> None:
    time = ReaderTime()
    time.event(time.from_uptime(5_000_000, EPOCH_US), EPOCH_US)
    (batch,) = reads_of(ReportDecoder(time).decode([tag(uptime_us=6_000_000)], EPOCH_US + 1_050_000))
    assert list(batch.first_seen_us or ()) == [EPOCH_US + 1_000_000]
    assert list(batch.last_seen_us or ()) == [EPOCH_US + 1_000_000]
    assert batch.clock_offset_us <= 50_000


@pytest.mark.parametrize(("kind", "name"), [(b"\x83", "first_seen_us"), (b"\x85", "last_seen_us")])
def test_one_uptime_is_enough(kind: bytes, name: str) -> None:
    time = ReaderTime()
    time.from_uptime(5_000_000, EPOCH_US)
    more = kind + struct.pack(">Q", 6_000_000)
    (batch,) = reads_of(ReportDecoder(time).decode([tag(seen_us=None, more=more)], EPOCH_US + 1_000_000))
    assert getattr(batch, name) == [EPOCH_US + 1_000_000]


def test_utc_wins_where_both_clocks_are_sent() -> None:
    both = tag(more=b"\x83" + struct.pack(">Q", 17))
    (batch,) = reads_of(decode(both, EPOCH_US))
    assert list(batch.first_seen_us or ()) == [EPOCH_US]


def test_the_clock_offset_comes_from_fresh_reports() -> None:
    time = ReaderTime()
    (batch,) = reads_of(ReportDecoder(time).decode([tag(seen_us=EPOCH_US)], EPOCH_US + 700))
    assert batch.clock_offset_us == 700


def test_a_time_in_the_future_is_replaced_by_the_arrival_and_its_neighbours_stay() -> None:
    time = ReaderTime()
    time.event(EPOCH_US, EPOCH_US)
    decoder = ReportDecoder(time)
    year_us = 365 * 86_400 * 1_000_000
    (batch,) = reads_of(
        decoder.decode([tag(seen_us=EPOCH_US + 900) + tag(seen_us=EPOCH_US + year_us)], EPOCH_US + 1_000)
    )
    assert list(batch.first_seen_us or ()) == [EPOCH_US + 900, EPOCH_US + 1_000]
    assert batch.clock_offset_us == 0
    assert decoder.impossible_times > 0
    (batch,) = reads_of(decoder.decode([tag(seen_us=EPOCH_US + 2_000)], EPOCH_US + 2_100))
    assert list(batch.first_seen_us or ()) == [EPOCH_US + 2_000]


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (tlv(240, b"\x81\x00\x01"), "report_no_epc"),
        (tlv(240, b"\x8d" + bytes(11)), "report_length"),
        (tlv(240, b"\x8d" + bytes(12) + b"\xff\x00"), "report_parameter"),
        (tlv(240, tlv(241, struct.pack(">H", 96) + bytes(4))), "report_length"),
        (tlv(240, tlv(241, b"")), "report_length"),
        (tlv(240, b"\x8d" + bytes(12) + b"\x00\x01\x00\x00"), "report_length"),
        (tlv(240, b"\x8d" + bytes(12) + b"\x00\x01"), "report_truncated"),
        (tlv(240, b"\x8d" + bytes(12) + custom(IMPINJ, 56, b"\x01")), "report_length"),
    ],
)
def test_a_damaged_record_loses_that_read_only(record: bytes, reason: str) -> None:
    good, other = tag(b"a" * 12), tag(b"b" * 12)
    observations = ReportDecoder().decode([good + record + other], EPOCH_US)
    assert epcs(observations) == [b"a" * 12, b"b" * 12]
    (rejected,) = rejects_of(observations)
    assert (rejected.reason, rejected.count, rejected.reads_lost) == (reason, 1, 1)


@pytest.mark.parametrize("bad", [b"\x00\xf0\x00\x00", b"\x00\xf0\x00\x03", b"\x00\xf0\xff\xff", b"\x00", b"\xff"])
def test_a_broken_chain_loses_the_rest_of_that_report_only(bad: bytes) -> None:
    good = tag(b"a" * 12)
    decoder = ReportDecoder()
    decoder.decode([good], EPOCH_US)
    observations = decoder.decode([good + bad + good, good], EPOCH_US)
    assert epcs(observations) == [b"a" * 12] * 2
    (rejected,) = rejects_of(observations)
    assert rejected.reads_lost == (1 if bad.startswith(b"\x00\xf0") else 0)


def test_a_record_that_reaches_into_the_next_report_does_not_swallow_it() -> None:
    good = tag(b"a" * 12)
    long = good[:2] + struct.pack(">H", 2 * len(good)) + good[4:]
    decoder = ReportDecoder()
    decoder.decode([good], EPOCH_US)
    observations = decoder.decode([long, good], EPOCH_US)
    assert epcs(observations) == [b"a" * 12]
    assert rejects_of(observations)[0].reads_lost == 1


def test_a_time_that_is_no_time_is_refused() -> None:
    (rejected,) = decode(tag(seen_us=(1 << 62)), EPOCH_US)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.reads_lost) == ("report_range", 1)


def test_unknown_parameters_are_skipped_and_counted() -> None:
    decoder = ReportDecoder()
    odd = tag(more=tlv(900, b"xyz"))
    assert len(epcs(decoder.decode([tlv(901, b"q") + odd * 3 + tlv(242, b"survey") + odd], EPOCH_US))) == 4
    assert decoder.unknown_parameters == 5


def test_an_empty_report_says_nothing() -> None:
    assert decode(b"", EPOCH_US) == []
    assert ReportDecoder().decode([], EPOCH_US) == []
    assert ReportDecoder().decode([b"", b""], EPOCH_US) == []


def test_a_report_of_endless_small_parameters_is_quick() -> None:
    # 128 K parameters of two bytes, each of which looks like the head of a record of 34 KiB.
    decoder = ReportDecoder()
    long = tag(more=tlv(900, bytes(0x8686 - len(tag()) - 4)))
    assert len(long) == 0x8686
    decoder.decode([long], EPOCH_US)
    assert decoder.decode([b"\x86\x86" * (1 << 17)], EPOCH_US) == []
    assert decoder.unknown_parameters == 1 + (1 << 17)


def test_memory_is_bounded_against_a_reader_of_endless_layouts() -> None:
    decoder = ReportDecoder()
    for size in range(600):
        decoder.decode([tag(bytes(size))], EPOCH_US)
    assert sum(map(len, decoder._layouts.values())) <= 256
    parameters = (b"\x81\x00\x01", b"\x87\x00\x01", b"\x88\x00\x01", b"\x8a\x00\x01", b"\x8b\x00\x01")
    for order in permutations(parameters):
        decoder.decode([tlv(240, b"\x8d" + bytes(12) + b"".join(order))], EPOCH_US)
    assert max(map(len, decoder._layouts.values())) <= 16


@given(st.binary(max_size=300))
def test_noise_is_counted_or_skipped(noise: bytes) -> None:
    decode(noise, EPOCH_US)


@given(st.lists(records(), min_size=1, max_size=4), st.data())
def test_a_truncated_report_yields_whole_reads_only(whole: list[bytes], data: st.DataObject) -> None:
    payload = b"".join(whole)
    size = data.draw(st.integers(0, len(payload) - 1))
    observations = ReportDecoder(AnyTime()).decode([payload[:size]], EPOCH_US)
    assert_same(rows_of(observations), by_sllurp(payload)[: len(rows_of(observations))])
    at_a_boundary = size in {sum(map(len, whole[:n])) for n in range(len(whole))}
    assert bool(rejects_of(observations)) is not at_a_boundary


@given(st.lists(records(), min_size=1, max_size=4), st.data())
def test_garbled_reports_never_raise(whole: list[bytes], data: st.DataObject) -> None:
    payload = bytearray(b"".join(whole))
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decoder = ReportDecoder()
    decoder.decode([b"".join(whole)], EPOCH_US)
    decoder.decode([bytes(payload), b"".join(whole)], EPOCH_US)


# --- memory read along with the inventory ----------------------------------------------------------------------------

TID = bytes.fromhex("E2801160200074D0")


def test_tid_and_user_memory_are_columns_and_failed_reads_are_none_in_the_same_batch() -> None:
    failed = read_result(TID_OPSPEC, 2, b"") + read_result(USER_OPSPEC, 0, b"\x00\x07")
    read = read_result(TID_OPSPEC, 0, TID) + read_result(USER_OPSPEC, 0, b"\x00\x08")
    half = read_result(TID_OPSPEC, 1, TID) + read_result(USER_OPSPEC, 0, b"\x00\x09")
    payload = b"".join(tag(more=more) for more in (read, failed, half, read))
    (batch,) = reads_of(decode(payload, EPOCH_US))
    assert batch.tid == [TID, None, None, TID]
    assert batch.user_memory == [bytes((0, each)) for each in (8, 7, 9, 8)]


def test_results_of_other_programs_are_no_memory_of_ours() -> None:
    (batch,) = reads_of(decode(tag(more=read_result(1, 0, TID)), EPOCH_US))
    assert (batch.tid, batch.user_memory) == (None, None)
    decoder = ReportDecoder()
    decoder.decode([tag(more=tlv(349, b"\x00"))], EPOCH_US)
    assert decoder.unknown_parameters == 0


def test_a_serialized_tid_may_carry_its_parity() -> None:
    parity = custom(IMPINJ, 1570, b"\x80")
    more = custom(IMPINJ, 55, struct.pack(">H", 4) + TID + parity)
    (batch,) = reads_of(decode(tag(more=more) * 2, EPOCH_US))
    assert batch.tid == [TID, TID]


@pytest.mark.parametrize(
    "more",
    [
        tlv(349, struct.pack(">BHH", 0, TID_OPSPEC, 5) + TID),
        custom(IMPINJ, 55, struct.pack(">H", 5) + TID),
        custom(IMPINJ, 55, b"\x00"),
    ],
)
def test_memory_that_does_not_fit_its_count_is_a_damaged_record(more: bytes) -> None:
    assert [each.reason for each in rejects_of(decode(tag(more=more), EPOCH_US))] == ["report_length"]


@pytest.mark.parametrize(
    ("raw", "degrees"), [(0x4000, 90.0), (-0x8000, 180.0), (0, 0.0), (-0x4000, 270.0), (-24364, 226.164551)]
)
def test_the_phase_of_a_zebra_reader(raw: int, degrees: float) -> None:
    # MotoTagPhase: 2 signed bytes, -180 to 180 degrees; -24364 (A0D4) was measured on an FX9600 by LLRPClient.
    (batch,) = reads_of(decode(tag(more=custom(161, 709, struct.pack(">h", raw))), EPOCH_US))
    assert list(batch.phase_deg or ()) == pytest.approx([degrees])
