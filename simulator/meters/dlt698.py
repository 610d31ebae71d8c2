"""Plays electricity meters on one DL/T 698.45 line: the twin of the driver `dlt698`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from readers.driver import Port
from simulator.device import Load
from simulator.meters.dlt698_meter import CHINA_UTC_OFFSET_MIN, Behaviour, Meter
from simulator.meters.dlt698_wire import (
    BROADCAST,
    FRAGMENT,
    GROUP,
    SCRAMBLED,
    WILDCARD,
    Asked,
    Ears,
    Heard,
    Wrong,
    counted,
    framed,
    read_request,
    time,
    uint16,
)

__all__ = ["DEVICE", "Behaviour", "Meter", "serve"]

DEVICE: Final = "dlt698"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a request that was not whole by then never will be
_BITS_PER_CHARACTER: Final = 11
_BYTES_AT_ONCE: Final = 8
_REPLY: Final = 0xC3
_FIRST, _LAST, _ACKNOWLEDGEMENT, _MIDDLE = range(4)
_CANNOT_READ: Final = 1
_RECORDS: Final = 3
_NEXT: Final = 5
_NO_BLOCKS: Final = 11
_MAC: Final = bytes.fromhex("4F1D3A90")


async def serve(
    port: Port,
    meters: Mapping[str, Load | Meter],
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    baud: int | None = None,
    utc_offset_min: int = CHINA_UTC_OFFSET_MIN,
) -> None:
    """Speak for all meters of a line, by their addresses of whole bytes, until the link ends.

    Args:
        port: the meters' end of the line.
        meters: what each meter measures, or the meter itself.
        behaviours: by address, of those that are not meters themselves.
        baud: take the time that each byte needs at that speed, in both directions; None for no time.
        utc_offset_min: the meters' local time, of those that are not meters themselves.

    Raises:
        LinkError: the link ended.
    """
    told = behaviours or {}
    answering = [
        _Answering(each if isinstance(each, Meter) else Meter(address, each, told.get(address), utc_offset_min))
        for address, each in meters.items()
    ]
    byte_s = _BITS_PER_CHARACTER / baud if baud else 0.0
    ears = Ears()
    recent = b""
    while True:
        data = await port.receive(_GAP_S if recent else _IDLE_S)
        if not data:
            ears.forget()
            recent = b""
            continue
        if byte_s:
            await port.pause(len(data) * byte_s)
        recent = (recent + data)[-64:]
        for heard in ears.listen(data):
            wake_up_bytes = recent.count(b"\xfe")
            for each in answering:
                await _answer(port, each, heard, wake_up_bytes, byte_s)


async def _answer(port: Port, answering: _Answering, heard: Heard, wake_up_bytes: int, byte_s: float) -> None:
    behaviour = answering.meter.behaviour
    if wake_up_bytes < behaviour.needs_wake_up or not behaviour.is_powered(port.now_us()):
        return
    raw = answering.answer(heard, port.now_us())
    if raw is None:
        return
    if behaviour.garbles is not None:
        raw = behaviour.garbles(raw)
    raw = b"\xfe" * behaviour.preamble + raw
    await port.pause(behaviour.reply_delay_s)
    step = _BYTES_AT_ONCE if byte_s else len(raw)
    for start in range(0, len(raw), step):
        piece = raw[start : start + step]
        await port.pause(len(piece) * byte_s)
        await port.send(piece)


class _Answering:
    """What one meter says to what it hears."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self._fragments: list[bytes] = []
        self._sent = 0
        self._blocks: list[bytes] = []
        self._blocks_of = 0

    def answer(self, heard: Heard, now_us: int) -> bytes | None:
        """The frame on the wire; None when it keeps silent."""
        behaviour = self.meter.behaviour
        if behaviour.silent or heard.control & 0xC0 != 0x40 or not self._is_meant(heard):  # noqa: PLR2004 - of a client
            return None
        if heard.control & FRAGMENT:
            return self._next_fragment(heard)
        self._fragments = []
        try:
            asked = read_request(heard.payload, self.meter.utc_offset_min)
        except Wrong:
            number = heard.payload[2] if len(heard.payload) > 2 else 0  # noqa: PLR2004 - where it stands
            return self._whole(heard, bytes([0xEE, number, _CANNOT_READ, 0]))
        if any(int.from_bytes(oad[:2], "big") in behaviour.ignores for oad in asked.oads):
            return None
        if len(asked.oads) > behaviour.most_at_once:
            if not behaviour.long_list_error:
                return None
            return self._whole(heard, bytes([0xEE, asked.number, _CANNOT_READ, 0]))
        return self._whole(heard, self._secured(self._apdu(asked, now_us)))

    def _is_meant(self, heard: Heard) -> bool:
        if heard.kind in (GROUP, BROADCAST) or len(heard.address) != len(self.meter.address):
            return False
        if heard.kind == WILDCARD and self.meter.behaviour.wants_single:
            return False
        pairs = zip(heard.address, self.meter.address, strict=True)
        return all(asked in ("A", own) for asked, own in pairs)

    def _apdu(self, asked: Asked, now_us: int) -> bytes:
        if asked.choice == _NEXT:
            if asked.number != self._blocks_of:
                self._blocks = []
            return self._block(asked.number, asked.block + 1, now_us)
        if asked.choice == _RECORDS:
            results = [self._record(asked, now_us)]
        else:
            results = [oad + self._result(self.meter.value(oad, now_us)) for oad in asked.oads]
        most = self.meter.behaviour.block_bytes
        kind = 2 if asked.choice == _RECORDS else 1
        if most is not None and sum(map(len, results)) > most:
            rows = self._rows_apart(asked, now_us) if kind == 2 else results  # noqa: PLR2004 - records
            self._blocks, self._blocks_of = [bytes([kind, 1]) + result for result in rows], asked.number
            return self._block(asked.number, 0, now_us)
        head = bytes([0x85, asked.choice, asked.number])
        count = bytes([len(results)]) if asked.choice == 2 else b""  # noqa: PLR2004 - a list
        return head + count + b"".join(results) + self._tail(now_us)

    def _block(self, number: int, which: int, now_us: int) -> bytes:
        is_last = which >= len(self._blocks) - 1
        content = self._blocks[which] if which < len(self._blocks) else bytes([0, _NO_BLOCKS])
        return bytes([0x85, _NEXT, number, is_last]) + which.to_bytes(2, "big") + content + self._tail(now_us)

    def _record(self, asked: Asked, now_us: int) -> bytes:
        rows = self.meter.rows(asked, now_us)
        head = self._record_head(asked)
        if isinstance(rows, int):
            return head + bytes([0, rows])
        return head + b"\1" + counted(len(rows)) + b"".join(cell for row in rows for cell in row)

    def _rows_apart(self, asked: Asked, now_us: int) -> list[bytes]:
        """One record of one row for each block."""
        rows = self.meter.rows(asked, now_us)
        assert isinstance(rows, list)  # a refusal is short
        return [self._record_head(asked) + b"\1\1" + b"".join(row) for row in rows]

    @staticmethod
    def _record_head(asked: Asked) -> bytes:
        columns = b"".join(b"\0" + column for column in asked.columns)
        return asked.oads[0] + bytes([len(asked.columns)]) + columns

    @staticmethod
    def _result(value: bytes | int) -> bytes:
        return bytes([0, value]) if isinstance(value, int) else b"\1" + value

    def _tail(self, now_us: int) -> bytes:
        if not self.meter.behaviour.reports_along:
            return b"\0\0"
        report = b"\1\1\1" + bytes.fromhex("20150200") + b"\1" + uint16(2)
        return report + b"\1" + time(now_us, self.meter.utc_offset_min)[1:] + b"\1\0\5"

    def _secured(self, apdu: bytes) -> bytes:
        behaviour = self.meter.behaviour
        if behaviour.encrypts:
            return b"\x90\x01" + counted(len(apdu)) + bytes(byte ^ 0x5A for byte in apdu) + b"\0"
        if behaviour.signs:
            return b"\x90\x00" + counted(len(apdu)) + apdu + b"\1\0" + bytes([len(_MAC)]) + _MAC
        return apdu

    def _whole(self, heard: Heard, apdu: bytes) -> bytes:
        most = self.meter.behaviour.fragment_bytes
        if most is None or len(apdu) <= most:
            return self._framed(heard, _REPLY, apdu)
        self._fragments = [apdu[start : start + most] for start in range(0, len(apdu), most)]
        self._sent = 0
        return self._fragment(heard)

    def _fragment(self, heard: Heard) -> bytes:
        kind = _LAST if self._sent == len(self._fragments) - 1 else _MIDDLE if self._sent else _FIRST
        head = (kind << 14 | self._sent).to_bytes(2, "little")
        return self._framed(heard, _REPLY | FRAGMENT, head + self._fragments[self._sent])

    def _next_fragment(self, heard: Heard) -> bytes | None:
        head = int.from_bytes(heard.payload[:2], "little")
        if head >> 14 != _ACKNOWLEDGEMENT or not self._fragments:
            return None
        self._sent = min((head & 0x0FFF) + 1, len(self._fragments) - 1)
        return self._fragment(heard)

    def _framed(self, heard: Heard, control: int, payload: bytes) -> bytes:
        if self.meter.behaviour.scrambles:
            control |= SCRAMBLED
        return framed(self.meter.address, heard.logical, heard.client, control, payload)
