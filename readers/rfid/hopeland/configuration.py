"""Who the reader is, and how it is set: each setting read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.codecs.hopeland import OK, Ability, Kind, Message, ReaderInfo, time_us
from readers.codecs.hopeland_band import REGION_CODES, REGIONS, Region
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Rejected
from readers.rfid.hopeland.line import TRIES, Line, NoAnswerError, RefusedError
from readers.rfid.hopeland.settings import HopelandSettings

FACTORY_BAUD: Final = 115_200
FACTORY_TCP_PORT: Final = 9090
_TEXT_BYTES: Final = 64
_HALF: Final = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """What reading needs to know: antenna ports, and how far the reader's clock is behind this host's."""

    antenna_ports: tuple[int, ...]
    clock_offset_us: int


async def prepare(line: Line, settings: HopelandSettings) -> Setup:
    """End what a former client left running, say who the reader is, and set it.

    Raises:
        LinkError: it does not answer. DeviceRefusedError: it lacks a named antenna, or does not take the region, so
            that reading might break the law.
    """
    await _identify(line)
    clock_offset_us = await _clock_offset_us(line)
    return Setup(await _Configuration(line, settings).carry_out(), clock_offset_us)


async def _identify(line: Line) -> None:
    try:
        await line.stop()
    except NoAnswerError as error:
        if line.heard_bytes:
            what = f"{line.heard_bytes} bytes came but no answer to 'stop': another speed or protocol"
        else:
            what = "no byte came in answer to 'stop': check power, wiring and address"
        raise LinkError(
            f"{line.port.description}: {what}; Hopeland readers leave the factory at TCP port {FACTORY_TCP_PORT} and "
            f"{FACTORY_BAUD} 8N1"
        ) from error
    info, mac = await _ask_if_known(line, Message.INFO), await _ask_if_known(line, Message.MAC)
    model = firmware = ""
    if info is not None:
        try:
            reader = ReaderInfo.parse(info)
        except FrameError as error:
            line.report(Rejected(error.reason, sample=info))
        else:
            name = reader.name[:_TEXT_BYTES].decode("ascii", errors="replace")
            model = "".join(character for character in name if character.isprintable()).strip()
            firmware = ".".join(map(str, reader.firmware))
    line.report(DeviceInfo("Hopeland", model, firmware, serial=(mac or b"")[:_TEXT_BYTES].hex(":").upper()))


async def _clock_offset_us(line: Line) -> int:
    """Some readers stamp tags with their own clock: how far it is from this host's."""
    sent_us = line.port.now_us()
    data = await _ask_if_known(line, Message.TIME)
    if data is None:
        return 0
    try:
        return (sent_us + line.port.now_us()) // _HALF - time_us(data)
    except FrameError as error:
        line.report(Rejected(error.reason, sample=data))
    return 0


async def _ask_if_known(line: Line, message: Message) -> bytes | None:
    """The answer to a question about the reader; modules without a processor of their own do not know them."""
    try:
        return await line.ask(Kind.READER, message, tries=1)
    except (RefusedError, NoAnswerError):
        return None


class _Configuration:
    def __init__(self, line: Line, settings: HopelandSettings) -> None:
        self._line = line
        self._settings = settings
        self._in_force: dict[str, str] = {}

    async def carry_out(self) -> tuple[int, ...]:
        """Choose the antennas, set band and power, and read them back."""
        ability = await self._ability()
        ports = self._settings.antennas or (1,)
        if ability is not None:
            there = tuple(range(1, ability.antennas + 1))
            missing = [port for port in self._settings.antennas or () if port not in there]
            if missing:
                raise DeviceRefusedError(
                    f"{self._line.port.description}: settings.antennas names port {missing[0]}; this reader has "
                    f"{', '.join(map(str, there))}"
                )
            ports = self._settings.antennas or there
        await self._set_region(ability)
        wanted = asked = round(self._settings.tx_power_dbm)
        if ability is not None:
            wanted = max(ability.min_power_dbm, min(ability.max_power_dbm, asked))
        for port in ports:
            await self._set_power(port, wanted)
        await self._check_power(ports, asked)
        self._in_force["antennas"] = " ".join(map(str, ports))
        self._line.report(InForce(self._in_force))
        return ports

    async def _ability(self) -> Ability | None:
        """What the radio can do, or None where the reader does not say."""
        try:
            return Ability.parse(await self._line.ask(Kind.RFID, Message.ABILITY))
        except (RefusedError, NoAnswerError) as error:
            self._condition("setting_unverified", "antennas", f"the reader does not tell its antennas: {error}")
        except FrameError as error:
            self._condition("setting_unverified", "antennas", f"the reader does not tell its antennas: {error.detail}")
        return None

    async def _set_region(self, ability: Ability | None) -> None:
        """Set the band where it is another one, because the reader keeps it without power."""
        wanted = self._settings.region
        found = await self._region()
        if wanted is None or found == REGION_CODES[wanted]:
            return
        try:
            answer = await self._line.ask(Kind.RFID, Message.SET_BAND, bytes([REGION_CODES[wanted]]))
            said = "" if answer == OK else f", code {answer.hex().upper() or 'none'}"
        except RefusedError as refusal:
            said = f", {refusal}"
        found = await self._region()
        if found is None:
            detail = f"{wanted} asked{said}; the reader does not tell its band"
            self._condition("setting_unverified", "region", detail)
        elif found != REGION_CODES[wanted]:
            detail = f"{wanted} asked, {_named(found)} in force{said}"
            self._condition("setting_differs", "region", detail)
            known = ", ".join(map(_named, ability.bands)) if ability is not None and ability.bands else "not told"
            raise DeviceRefusedError(
                f"{self._line.port.description}: settings.region = {wanted} was asked{said}; the reader keeps "
                f"{_named(found)}, and those that it can are {known}; choose the region that its antenna and licence "
                "are for, or leave the key out"
            )

    async def _region(self) -> int | None:
        """The code in force, told as such; None where the reader does not say."""
        try:
            answer = await self._line.ask(
                Kind.RFID, Message.GET_BAND, tries=1 if self._settings.region is None else TRIES
            )
        except (RefusedError, NoAnswerError):
            return None
        if len(answer) != 1:
            self._line.report(Rejected("length", sample=answer))
            return None
        self._in_force["region"] = _named(answer[0])
        return answer[0]

    async def _set_power(self, port: int, wanted: int) -> None:
        try:
            answer = await self._line.ask(Kind.RFID, Message.SET_POWER, bytes([port, wanted]))
            why = "" if answer == OK else f"code {answer.hex().upper() or 'none'}"
        except RefusedError as refusal:
            why = str(refusal)
        if why:
            detail = f"{wanted} dBm asked at antenna port {port}, the reader answered {why}"
            self._condition("setting_differs", "tx_power_dbm", detail)

    async def _check_power(self, ports: tuple[int, ...], asked: int) -> None:
        try:
            answer = await self._line.ask(Kind.RFID, Message.GET_POWER)
        except (RefusedError, NoAnswerError) as error:
            self._condition("setting_unverified", "tx_power_dbm", str(error))
            return
        found = dict(zip(answer[::2], answer[1::2], strict=False))
        powers = [found.get(port) for port in ports]
        shown = " ".join("?" if power is None else str(power) for power in powers)
        self._in_force["tx_power_dbm"] = shown
        if any(power != asked for power in powers):
            detail = f"{asked} dBm asked at antenna ports {', '.join(map(str, ports))}, {shown} in force"
            self._condition("setting_differs", "tx_power_dbm", detail)

    def _condition(self, name: str, key: str, detail: str) -> None:
        self._line.report(Condition(name, active=True, key=key, detail=detail))


def _named(code: int) -> str:
    region: Region | None = REGIONS.get(code)
    return f"band {code}" if region is None else str(region)
