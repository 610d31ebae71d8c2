"""Tag reports decoded each second on one core, framing included, with sllurp's own decoder in the same run.

The reports are those of a plain reader (EPC-96, ROSpecID, AntennaID, PeakRSSI, ChannelIndex, FirstSeenUTC, LastSeenUTC,
TagSeenCount: 51 bytes a tag) and of an Impinj reader (with phase and fine RSSI: 79 bytes). Time is this process's
processor time, the best of several rounds, the two decoders taking turns.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any, Final

from readers.rfid.llrp.framing import Framer
from readers.rfid.llrp.reports import ReportDecoder

ROUNDS: Final = 5
READS_A_ROUND: Final = 60_000
SLLURP_READS_A_ROUND: Final = 6_000
START_US: Final = 1_767_225_600_000_000
IMPINJ: Final = 25882


def run() -> dict[str, Any]:
    """Reads decoded a second by ours and by sllurp's, and the ratio."""
    figures: dict[str, Any] = {}
    for tags in (1, 10, 50, 200):
        figures |= _measure(f"{tags}", tags, impinj=False)
    figures |= _measure("50_impinj", 50, impinj=True)
    figures["goal"] = "reads_per_s_50 >= 1,500,000 and reads_per_s_1 >= 400,000"
    return figures


def message(tags: int, message_id: int, *, impinj: bool) -> bytes:
    """One RO_ACCESS_REPORT."""
    records = b"".join(_record(message_id * tags + tag, impinj=impinj) for tag in range(tags))
    return struct.pack(">HII", 1 << 10 | 61, 10 + len(records), message_id) + records


def _record(number: int, *, impinj: bool) -> bytes:
    body = struct.pack(">B12s", 0x80 | 13, b"\x30\x74" + number.to_bytes(10, "big"))
    body += struct.pack(">BI", 0x80 | 9, 1)
    body += struct.pack(">BH", 0x80 | 1, 1 + number % 4)
    body += struct.pack(">Bb", 0x80 | 6, -40 - number % 30)
    body += struct.pack(">BH", 0x80 | 7, 1 + number % 50)
    body += struct.pack(">BQ", 0x80 | 2, START_US + number * 900)
    body += struct.pack(">BQ", 0x80 | 4, START_US + number * 900 + 500)
    body += struct.pack(">BH", 0x80 | 8, 1)
    if impinj:
        for subtype, value in ((56, number % 4096), (57, -4000 - number % 3000)):
            body += struct.pack(">HHIIh", 1023, 14, IMPINJ, subtype, value)
    return struct.pack(">HH", 240, 4 + len(body)) + body


def _measure(label: str, tags: int, *, impinj: bool) -> dict[str, Any]:
    messages = [message(tags, number, impinj=impinj) for number in range(1, READS_A_ROUND // tags + 1)]
    fewer = messages[: max(1, SLLURP_READS_A_ROUND // tags)]
    # A socket hands over what has come: up to 64 KiB at once.
    size = len(messages[0])
    together = max(1, (64 << 10) // size)
    chunks = [b"".join(messages[at : at + together]) for at in range(0, len(messages), together)]
    ours = theirs = 0.0
    for _ in range(ROUNDS):
        ours = max(ours, len(messages) * tags / _cpu_s(lambda: _decode_ours(chunks, len(messages) * tags)))
        theirs = max(theirs, len(fewer) * tags / _cpu_s(lambda: _decode_sllurp(fewer, len(fewer) * tags)))
    return {f"reads_per_s_{label}": ours, f"sllurp_reads_per_s_{label}": theirs, f"ratio_{label}": ours / theirs}


def _decode_ours(chunks: list[bytes], expected: int) -> None:
    framer, decoder, heard = Framer(), ReportDecoder(), 0
    for chunk in chunks:
        payloads = [message.payload for message in framer.feed(chunk)]
        for reads in decoder.decode(payloads, START_US):
            heard += len(reads)  # type: ignore[arg-type]  # nothing is rejected here, or the count below differs
    if heard != expected:
        raise AssertionError(f"decoded {heard} reads of {expected}")


def _decode_sllurp(messages: list[bytes], expected: int) -> None:
    from sllurp.llrp import LLRPMessage  # noqa: PLC0415  # slow to import, and only here

    heard = 0
    for raw in messages:
        decoded = LLRPMessage(msgbytes=raw)
        heard += len(decoded.msgdict["RO_ACCESS_REPORT"]["TagReportData"])
    if heard != expected:
        raise AssertionError(f"sllurp decoded {heard} reads of {expected}")


def _cpu_s(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
