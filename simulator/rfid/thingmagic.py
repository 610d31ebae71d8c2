"""Plays a ThingMagic module (M6e Nano by default): the twin of the driver `thingmagic`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.thingmagic import (
    DBM_STEPS,
    GEN2,
    Decoder,
    Frame,
    Opcode,
    Speaker,
    Status,
    Version,
    encode,
)
from readers.codecs.thingmagic_tags import (
    ALL_METADATA,
    STOP,
    WORD_BYTES,
    Metadata,
    ReadPlan,
    Response,
    Search,
    StreamedTag,
)
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.rfid.thingmagic_tags import work_on_tag

DEVICE: Final = "thingmagic"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a command that was not whole by then never will be
_SLICE_US: Final = 25_000  # how much of the stream is sent at once
_US_PER_S: Final = 1_000_000
_US_PER_MS: Final = 1_000
_TAG_WITHIN_US: Final = 100_000  # a tag that was here so long ago is found
_LOWEST_DBM: Final = -128
_HIGHEST_DBM: Final = 127
_OPPOSITE_DEG: Final = 180
_SLEEP: Final = 4
_WAKES_IN_S: Final = 0.1
_ASLEEP_AFTER_S: Final = 1.0
_APPLICATION: Final = 0x52  # as an M6e Nano answers
_BOOT_LOADER: Final = 0x51
_READ_FILTER: Final = 0x0C
_SEND_CRC: Final = 0x1B
_CRC_BYTES: Final = 2
_POWERS: Final = frozenset({Opcode.GET_READ_POWER, Opcode.GET_WRITE_POWER})
_ASKED_WITH: Final = _POWERS | {Opcode.GET_OPTION, Opcode.GET_PROTOCOL_PARAMETER, Opcode.GET_ANTENNA}


@dataclass(frozen=True, slots=True)
class Module:
    """What kind of module is played. The defaults are those of an M6e Nano that was logged.

    Attributes:
        ports: antenna ports, each with whether an antenna is detected there.
        region: at power-on; 0 is none, and then nothing is read.
        hop_khz: the frequencies, of which a sighting's channel is one.
        power_mode: 0 full, 4 sleep: the module then loses what wakes it.
        sends_crc: False as a client over USB leaves it; answers have no checksum until it is asked for.
        streaming: a former client's read is still running.
        stops_at_once: else the read cycle is finished first, as real modules do.
        troubles: by number of the read cycle, what goes wrong in it in place of reading.
        unknown, mute: commands that are answered with status 0101, or not at all.
    """

    hardware: bytes = bytes.fromhex("30000002")
    firmware: bytes = bytes.fromhex("01030147")
    ports: Mapping[int, bool] = field(default_factory=lambda: {1: True})
    region: int = 0
    regions: tuple[int, ...] = (13, 4, 5, 6, 8, 9, 11, 12, 255)
    hop_khz: tuple[int, ...] = (926_000, 919_600, 924_800, 922_600)
    min_power_dbm: float = 0.0
    max_power_dbm: float = 27.0
    boot_loader: bool = False
    boot_s: float = 0.65
    power_mode: int = 0
    protocol: int = 0
    gpio: int = 0x0F
    sends_crc: bool = True
    streaming: bool = False
    stops_at_once: bool = False
    reports_cycles: bool = True
    troubles: Mapping[int, int] = field(default_factory=dict)
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()


async def serve(port: Port, radio: Radio, module: Module | None = None) -> None:
    """Speak the module's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, radio, module or Module())
    while True:
        await twin.step()


class _RefusedError(Exception):
    """The command is answered with a status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class _Twin:
    def __init__(self, port: Port, radio: Radio, module: Module) -> None:
        self._port = port
        self._radio = radio
        self._module = module
        self._decoder = Decoder(Speaker.HOST)
        self._in_boot_loader = module.boot_loader
        self._sends_crc = module.sends_crc
        self._region = module.region
        self._protocol = module.protocol
        self._power_mode = module.power_mode
        self._power = self._write_power = round(module.max_power_dbm * DBM_STEPS)
        self._antennas = [number for number, detected in module.ports.items() if detected]
        self._work_antenna = 1
        self._options = {0x04: 0, 0x0C: 1, 0x0E: 0, 0x1B: int(module.sends_crc)}
        self._gen2 = {0x00: b"\x00", 0x01: b"\x01\x00", 0x02: b"\x02", 0x10: b"\x00", 0x11: b"\x00", 0x12: b"\x00"}
        self._plan: ReadPlan | None = ReadPlan() if module.streaming else None
        self._stopping = False
        self._cycle = 0
        self._cycle_began_us = self._sent_until_us = port.now_us()
        self._once: set[tuple[bytes, int]] = set()
        self._awake_from_s = 0.0
        self._asleep_from_s = -1.0

    async def step(self) -> None:
        """Serve commands until the next slice of the stream is due, then send it."""
        plan = self._plan
        if plan is None:
            await self._obey(_IDLE_S)
            return
        end_us = min(self._sent_until_us + _SLICE_US, self._cycle_began_us + plan.cycle_ms * _US_PER_MS)
        while self._plan is plan and (left_us := end_us - self._port.now_us()) > 0:
            await self._obey(left_us / _US_PER_S)
        if self._plan is plan:
            await self._stream(plan, end_us)

    async def _obey(self, within_s: float) -> None:
        data = await self._port.receive(min(within_s, _GAP_S) if self._decoder.holds else within_s)
        heard = self._when_awake(data)
        for frame in self._decoder.feed(heard) if data else self._decoder.gap():
            if frame.opcode not in self._module.mute:
                await self._answer(frame)

    def _when_awake(self, heard: bytes) -> bytes:
        """What a sleeping module understands of it: the first byte wakes it; what comes until it is awake is lost."""
        now_s = self._port.monotonic_s()
        if self._power_mode != _SLEEP or not heard:
            return heard
        if now_s > self._asleep_from_s:
            self._awake_from_s = now_s + _WAKES_IN_S
        self._asleep_from_s = max(now_s, self._awake_from_s) + _ASLEEP_AFTER_S
        return heard if now_s >= self._awake_from_s else b""

    async def _stream(self, plan: ReadPlan, until_us: int) -> None:
        """Send what was read since the last time, and at the end of a cycle that it ended."""
        cycle_us = plan.cycle_ms * _US_PER_MS
        trouble = self._module.troubles.get(self._cycle)
        frames = [] if trouble is not None else self._read(plan, self._sent_until_us, until_us)
        self._sent_until_us = until_us
        if until_us == self._cycle_began_us + cycle_us:
            self._cycle += 1
            self._cycle_began_us = until_us
            if trouble is not None:
                frames.append(Frame(Opcode.READ_TAG_MULTIPLE, b"", trouble))
            elif self._module.reports_cycles:
                frames.append(Frame(Opcode.READ_TAG_MULTIPLE, b"", Status.NO_TAGS))
            frames += [self._stopped()] if self._stopping else []
        await self._send(*frames)

    def _read(self, plan: ReadPlan, start_us: int, until_us: int) -> list[Frame]:
        """Frames of the tags in that time; the antennas share a cycle in equal parts."""
        cycle_us = plan.cycle_ms * _US_PER_MS
        frames: list[Frame] = []
        for index, antenna in enumerate(self._antennas):
            on_us = self._cycle_began_us + cycle_us * index // len(self._antennas)
            off_us = self._cycle_began_us + cycle_us * (index + 1) // len(self._antennas)
            since_us, to_us = max(on_us, start_us), min(off_us, until_us)
            if since_us < to_us:
                heard = self._radio.heard(antenna, since_us, to_us)
                frames += [self._tag(plan, sighting) for sighting in heard if self._is_told(sighting)]
        return frames

    def _is_told(self, sighting: Sighting) -> bool:
        """The read filter tells each tag once for each antenna."""
        if not self._options[_READ_FILTER]:
            return True
        seen = (sighting.epc, sighting.antenna_port)
        if seen in self._once:
            return False
        self._once.add(seen)
        return True

    def _tag(self, plan: ReadPlan, sighting: Sighting) -> Frame:
        def told(flag: Metadata, value: int) -> int | None:
            return value if plan.metadata & ALL_METADATA & flag else None

        words = len(sighting.epc) // WORD_BYTES
        pc_bits = words << 11 if sighting.pc_bits is None else sighting.pc_bits
        tid = sighting.tid[: plan.tid_words * WORD_BYTES]
        hop_khz = self._module.hop_khz
        tag = StreamedTag(
            pc_bits=pc_bits,
            epc=sighting.epc,
            air_crc=0,
            count=told(Metadata.COUNT, 1),
            rssi_dbm=told(Metadata.RSSI, max(_LOWEST_DBM, min(_HIGHEST_DBM, round(sighting.rssi_dbm)))),
            transmitter=told(Metadata.ANTENNA, sighting.antenna_port),
            receiver=told(Metadata.ANTENNA, sighting.antenna_port),
            frequency_khz=told(Metadata.FREQUENCY, hop_khz[(sighting.channel_index - 1) % len(hop_khz)]),
            since_cycle_ms=told(Metadata.TIME, (sighting.at_us - self._cycle_began_us) // _US_PER_MS),
            phase_deg=told(Metadata.PHASE, round(sighting.phase_deg) % _OPPOSITE_DEG),
            protocol=told(Metadata.PROTOCOL, GEN2),
            data=(tid if len(tid) == plan.tid_words * WORD_BYTES else b"") if plan.metadata & Metadata.DATA else None,
            gpio=told(Metadata.GPIO, self._module.gpio),
            search=plan.search,
        )
        return Frame(Opcode.READ_TAG_MULTIPLE, tag.with_right_crc().parameters(), Status.SUCCESS)

    async def _answer(self, frame: Frame) -> None:
        if self._plan is not None and frame.opcode != Opcode.MULTI_PROTOCOL:
            return  # a streaming module hears nothing but this
        try:
            data = self._carry_out(frame.opcode, frame.data)
        except _RefusedError as refusal:
            await self._send(Frame(frame.opcode, b"", refusal.status))
            return
        if frame.opcode == Opcode.BOOT_FIRMWARE:
            await self._port.pause(self._module.boot_s)
        if data is not None:
            await self._send(Frame(frame.opcode, data, Status.SUCCESS))

    def _carry_out(self, opcode: int, data: bytes) -> bytes | None:
        """The data of the answer; None where it comes later.

        Raises:
            _RefusedError: the module does not do that.
        """
        module = self._module
        if opcode in module.unknown:
            raise _RefusedError(Status.UNKNOWN_OPCODE)
        if opcode == Opcode.VERSION:
            return self._version()
        if opcode == Opcode.CURRENT_PROGRAM:
            return bytes([_BOOT_LOADER if self._in_boot_loader else _APPLICATION])
        if opcode == Opcode.BOOT_FIRMWARE:
            self._in_boot_loader = False
            return self._version()
        if self._in_boot_loader:
            raise _RefusedError(Status.UNKNOWN_OPCODE)
        if opcode == Opcode.MULTI_PROTOCOL:
            return self._start_or_stop(data)
        if opcode in (Opcode.READ_TAG_DATA, Opcode.WRITE_TAG_DATA):
            return self._work_on_tag(opcode, data)
        answer = self._get(opcode, data)
        if answer is None:
            answer = self._set(opcode, data)
        if answer is None:
            raise _RefusedError(Status.UNKNOWN_OPCODE)
        return answer

    def _version(self) -> bytes:
        module = self._module
        boot, date = bytes.fromhex("14120800"), bytes.fromhex("20150310")
        return Version(boot, module.hardware, date, module.firmware, 1 << (GEN2 - 1)).data()

    def _work_on_tag(self, opcode: int, data: bytes) -> bytes:
        if not self._region:
            raise _RefusedError(Status.NO_REGION)
        now_us = self._port.now_us()
        heard = self._radio.heard(self._work_antenna, now_us - _TAG_WITHIN_US, now_us)
        status, answer = work_on_tag(self._radio, heard, opcode, data, self._write_power)
        if status:
            raise _RefusedError(status)
        return answer

    def _get(self, opcode: int, data: bytes) -> bytes | None:
        module = self._module
        match opcode:
            case Opcode.GET_POWER_MODE:
                return bytes([self._power_mode])
            case Opcode.GET_PROTOCOL:
                return self._protocol.to_bytes(2, "big")
            case Opcode.GET_REGION:
                return bytes([self._region])
            case Opcode.AVAILABLE_REGIONS:
                return bytes(module.regions)
            case Opcode.AVAILABLE_PROTOCOLS:
                return GEN2.to_bytes(2, "big")
            case Opcode.GET_HOP_TABLE:
                return b"".join(khz.to_bytes(4, "big") for khz in module.hop_khz)
            case Opcode.GET_ANTENNA if data == b"\x05":
                return data + b"".join(bytes([number, detected]) for number, detected in module.ports.items())
            case Opcode.GET_READ_POWER | Opcode.GET_WRITE_POWER if data in (b"\x00", b"\x01"):
                power = self._power if opcode == Opcode.GET_READ_POWER else self._write_power
                limits = (power, round(module.max_power_dbm * DBM_STEPS), round(module.min_power_dbm * DBM_STEPS))
                told = limits if data == b"\x01" else limits[:1]
                return data + b"".join(each.to_bytes(2, "big", signed=True) for each in told)
            case Opcode.GET_OPTION if data[:1] == b"\x01" and data[1:2] == b"\x12":
                return data + b"\x00\x00"  # a bare module
            case Opcode.GET_OPTION if data[:1] == b"\x01" and data[1:2] == b"\x0d":
                return data + bytes(4)
            case Opcode.GET_OPTION if data[:1] == b"\x01" and data[1:] and data[1] in self._options:
                return data + bytes([self._options[data[1]]])
            case Opcode.GET_PROTOCOL_PARAMETER if data[:1] == bytes([GEN2]) and data[1:] and data[1] in self._gen2:
                return data + self._gen2[data[1]]
        if opcode in _ASKED_WITH:
            raise _RefusedError(Status.BAD_PARAMETER)
        return None

    def _set(self, opcode: int, data: bytes) -> bytes | None:
        match opcode:
            case Opcode.SET_BAUD_RATE | Opcode.CLEAR_TAG_BUFFER:
                self._once.clear()
            case Opcode.SET_POWER_MODE:
                self._power_mode = data[0]
            case Opcode.SET_PROTOCOL:
                self._protocol = int.from_bytes(data, "big")
            case Opcode.SET_REGION:
                if data[0] not in self._module.regions:
                    raise _RefusedError(Status.UNKNOWN_REGION)
                self._region = data[0]
            case Opcode.SET_READ_POWER:
                self._power = self._possible(int.from_bytes(data, "big", signed=True))
            case Opcode.SET_WRITE_POWER:
                self._write_power = self._possible(int.from_bytes(data, "big", signed=True))
            case Opcode.SET_ANTENNA if len(data) == 2 and data[0] in self._module.ports:  # noqa: PLR2004 - a pair
                self._work_antenna = data[0]
            case Opcode.SET_ANTENNA if data[:1] == b"\x02":
                self._set_antennas(data[1::2])
            case Opcode.SET_OPTION if len(data) > 2 and data[1] in self._options:  # noqa: PLR2004 - form, key, value
                self._options[data[1]] = data[2]
                self._sends_crc = bool(self._options[_SEND_CRC])
            case Opcode.SET_PROTOCOL_PARAMETER if data[:1] == bytes([GEN2]) and data[1:2] and data[1] in self._gen2:
                self._gen2[data[1]] = data[2:]
            case Opcode.SET_OPTION | Opcode.SET_PROTOCOL_PARAMETER | Opcode.SET_ANTENNA:
                raise _RefusedError(Status.BAD_PARAMETER)
            case _:
                return None
        return b""

    def _possible(self, power: int) -> int:
        if power > round(self._module.max_power_dbm * DBM_STEPS):
            raise _RefusedError(Status.POWER_TOO_HIGH)
        if power < round(self._module.min_power_dbm * DBM_STEPS):
            raise _RefusedError(Status.POWER_TOO_LOW)
        return power

    def _set_antennas(self, numbers: bytes) -> None:
        if not numbers or not set(numbers) <= self._module.ports.keys():
            raise _RefusedError(Status.BAD_PARAMETER)
        self._antennas = list(numbers)

    def _start_or_stop(self, data: bytes) -> bytes | None:
        if data[2:3] == bytes([STOP]):
            if self._plan is None:
                raise _RefusedError(Status.WRONG_DATA)
            self._stopping = True
            return self._stopped().data if self._module.stops_at_once else None
        if self._plan is not None:
            raise _RefusedError(Status.BAD_PARAMETER)
        if not self._region:
            raise _RefusedError(Status.NO_REGION)
        if self._protocol != GEN2:
            raise _RefusedError(Status.NO_PROTOCOL)
        try:
            self._plan = ReadPlan.parse(data)
        except FrameError:
            raise _RefusedError(Status.BAD_PARAMETER) from None
        if not self._plan.search & Search.STREAMING or not self._plan.cycle_ms:
            self._plan = None
            raise _RefusedError(Status.BAD_PARAMETER)
        self._cycle_began_us = self._sent_until_us = self._port.now_us()
        self._once.clear()
        return bytes([Response.TAG, Opcode.READ_TAG_MULTIPLE, 0, 0])

    def _stopped(self) -> Frame:
        self._plan = None
        self._stopping = False
        return Frame(Opcode.MULTI_PROTOCOL, bytes([STOP]), Status.SUCCESS)

    async def _send(self, *frames: Frame) -> None:
        raw = [encode(frame) for frame in frames]
        if raw:
            await self._port.send(b"".join(each if self._sends_crc else each[:-_CRC_BYTES] for each in raw))
