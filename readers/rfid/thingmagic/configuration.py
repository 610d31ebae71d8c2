"""Who the module is, and how it is set: in the order of the Mercury API, each setting read back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from readers.codecs.thingmagic import DBM_STEPS, GEN2, Opcode, Version, runs_boot_loader
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import DeviceInfo, InForce, Rejected
from readers.rfid.thingmagic.conversation import TRIES, Conversation, NoAnswerError, RefusedError, RestartedError
from readers.rfid.thingmagic.settings import REGION_CODES, REGIONS, TARGETS, ThingMagicSettings

FACTORY_BAUD: Final = 115_200
_BOOT_WITHIN_S: Final = 3.0
_MODELS: Final = {0x18: "M6e", 0x19: "M6e", 0x20: "M6e Micro", 0x30: "M6e Nano", 0x38: "M7e", 0x80: "M3e"}
_SLEEPERS: Final = (0x18, 0x19, 0x20)  # models that fall into deep sleep
_FULL: Final = b"\x00"
_SLEEP: Final = b"\x04"
_DETECT: Final = b"\x05"
ANTENNA_LIST: Final = b"\x02"
_WITH_LIMITS: Final = b"\x01"
_READ_FILTER: Final = b"\x01\x0c"
_SEND_CRC: Final = b"\x01\x1b"
_ON: Final = b"\x01"
_OFF: Final = b"\x00"
_SESSION: Final = bytes([GEN2, 0x00])
_TARGET: Final = bytes([GEN2, 0x01])
_Q: Final = bytes([GEN2, 0x12])
_FIXED: Final = 0x01
_HOP_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Setup:
    """What the inventory needs to know: antenna ports in their order, and the hop table's places by kHz, from 1."""

    antenna_ports: tuple[int, ...]
    channels: Mapping[int, int]


async def identify(talk: Conversation) -> None:
    """Get an answer from the module, out of sleep, a running stream or its boot loader, and say who it is.

    Raises:
        LinkError: none came. DeviceRefusedError: its firmware cannot be started.
    """
    version = await _version(talk)
    if await _is_in_boot_loader(talk):
        try:
            version = Version.parse(await talk.ask(Opcode.BOOT_FIRMWARE, within_s=_BOOT_WITHIN_S))
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{talk.port.description}: the module stays in its boot loader: {refusal}; load its firmware with the "
                "maker's tool"
            ) from refusal
    model = version.hardware[0]
    if model in _SLEEPERS:
        await talk.wake()
    await _stay_awake(talk)
    talk.report(
        DeviceInfo(
            manufacturer="ThingMagic",
            model=_MODELS.get(model, f"hardware {version.hardware.hex().upper()}"),
            firmware=version.firmware.hex(".").upper(),
        )
    )


async def _is_in_boot_loader(talk: Conversation) -> bool:
    try:
        return runs_boot_loader(int.from_bytes((await talk.ask(Opcode.CURRENT_PROGRAM))[:1], "big"))
    except RefusedError:
        return False  # firmware that does not know the question is no boot loader


async def _version(talk: Conversation) -> Version:
    for attempt in range(TRIES):
        try:
            if attempt:
                if not talk.heard_stream:
                    await talk.wake()
                await _stop_former(talk)
                await _demand_checksums(talk)
            return Version.parse(await talk.ask(Opcode.VERSION, tries=1))
        except (NoAnswerError, RestartedError, RefusedError):
            continue
        except FrameError as error:
            talk.report(Rejected(error.reason, sample=error.frame))
    if talk.heard_bytes:
        what = f"{talk.heard_bytes} bytes came but no answer to 'get version': another speed or protocol"
    else:
        what = "no byte came in answer to 'get version': check power, wiring and the name of the line"
    raise LinkError(f"{talk.port.description}: {what}; ThingMagic modules start at {FACTORY_BAUD} 8N1")


async def _demand_checksums(talk: Conversation) -> None:
    """A former client over USB may have switched them off, and then no answer is understood before."""
    with contextlib.suppress(NoAnswerError, RefusedError):  # older firmware refuses, a module without them is not heard
        await talk.ask(Opcode.SET_OPTION, _SEND_CRC + _ON, tries=1)


async def _stop_former(talk: Conversation) -> None:
    """End a read that a former client left running; a module that is silent need not confirm it."""
    try:
        await talk.stop(tries=TRIES if talk.heard_stream else 1)
    except NoAnswerError:
        if talk.heard_stream:
            raise


async def _stay_awake(talk: Conversation) -> None:
    """A module that sleeps between commands loses their beginning: a reader at work need not sleep."""
    try:
        if await talk.ask(Opcode.GET_POWER_MODE) == _SLEEP:
            await talk.ask(Opcode.SET_POWER_MODE, _FULL)
    except RefusedError as refusal:
        talk.begin("setting_unverified", f"command {Opcode.GET_POWER_MODE:02X} got status {refusal}", "power_mode")


async def configure(talk: Conversation, settings: ThingMagicSettings, *, writes: bool = False) -> Setup:
    """Set the module and read back what is in force; `writes` also the power for writing to tags.

    Raises:
        LinkError: it fell silent. DeviceRefusedError: it cannot do what the settings ask.
    """
    return await _Configuration(talk, settings).carry_out(writes=writes)


class _Configuration:
    def __init__(self, talk: Conversation, settings: ThingMagicSettings) -> None:
        self._talk = talk
        self._settings = settings
        self._in_force: dict[str, str] = {}

    async def carry_out(self, *, writes: bool) -> Setup:
        await self._set_protocol()
        ports = await self._choose_antennas()
        await self._set_region()
        await self._set_power("tx_power_dbm", Opcode.SET_READ_POWER, Opcode.GET_READ_POWER)
        if writes:
            await self._set_power("write_power_dbm", Opcode.SET_WRITE_POWER, Opcode.GET_WRITE_POWER)
        await self._set_gen2()
        await self._set("read_filter", (Opcode.SET_OPTION, Opcode.GET_OPTION), _READ_FILTER, _OFF)
        channels = await self._channels()
        await self._clear_buffer()
        await self._set_antennas(ports)
        self._talk.report(InForce(self._in_force))
        return Setup(ports, channels)

    async def _set_protocol(self) -> None:
        wanted = GEN2.to_bytes(2, "big")
        try:
            if await self._talk.ask(Opcode.GET_PROTOCOL) == wanted:
                return
            await self._talk.ask(Opcode.SET_PROTOCOL, wanted)
            if await self._talk.ask(Opcode.GET_PROTOCOL) == wanted:
                return
            why = "it does not keep it"
        except RefusedError as refusal:
            why = f"status {refusal}"
        raise DeviceRefusedError(
            f"{self._talk.port.description}: the module does not take the tag protocol UHF Gen2: {why}; it may be an "
            "HF module, or lack the licence"
        )

    async def _choose_antennas(self) -> tuple[int, ...]:
        """The ports to read with; those without an antenna are said."""
        wanted = self._settings.antennas
        answer = await self._read_back(Opcode.GET_ANTENNA, _DETECT, _DETECT, "antennas")
        if answer is None:
            return wanted or (1,)
        detected = dict(zip(answer[::2], map(bool, answer[1::2]), strict=False))
        if not detected:
            return wanted or (1,)
        missing = [port for port in wanted or () if port not in detected]
        if missing:
            raise DeviceRefusedError(
                f"{self._talk.port.description}: settings.antennas names port {missing[0]}; this module has "
                f"{', '.join(map(str, detected))}"
            )
        if not any(detected.values()):  # the module cannot detect antennas (Nano), or not these: all ports are tried
            return wanted or tuple(detected)
        ports = wanted or tuple(port for port, there in detected.items() if there)
        for port in ports:
            if not detected[port]:
                self._talk.begin("antenna_undetected", f"no antenna is detected at port {port}", str(port))
        return ports

    async def _set_antennas(self, ports: tuple[int, ...]) -> None:
        pairs = b"".join(bytes([port, port]) for port in ports)  # transmitter and receiver
        try:
            await self._talk.ask(Opcode.SET_ANTENNA, ANTENNA_LIST + pairs)
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{self._talk.port.description}: settings.antennas: the module refuses ports "
                f"{', '.join(map(str, ports))} with status {refusal}; name ports that it has"
            ) from refusal
        self._in_force["antennas"] = " ".join(map(str, ports))

    async def _set_region(self) -> None:
        wanted = self._settings.region
        if wanted is not None:
            code = REGION_CODES[wanted]
            try:
                await self._talk.ask(Opcode.SET_REGION, bytes([code]))
            except RefusedError as refusal:
                raise DeviceRefusedError(
                    f"{self._talk.port.description}: settings.region = {wanted}: the module refuses it with status "
                    f"{refusal}; {await self._regions()}"
                ) from refusal
        found = await self._read_back(Opcode.GET_REGION, b"", b"", "region")
        if found is None:
            return
        in_force = int.from_bytes(found[:1], "big")
        if wanted is not None and in_force != REGION_CODES[wanted]:
            raise DeviceRefusedError(
                f"{self._talk.port.description}: settings.region = {wanted} was asked, the module keeps "
                f"{REGIONS.get(in_force, f'number {in_force}')}; {await self._regions()}"
            )
        if not in_force:
            raise DeviceRefusedError(
                f"{self._talk.port.description}: the module has no region and transmits nothing; set settings.region; "
                f"{await self._regions()}"
            )
        self._in_force["region"] = REGIONS[in_force].value if in_force in REGIONS else str(in_force)

    async def _regions(self) -> str:
        """For messages: what the module can do."""
        try:
            codes = await self._talk.ask(Opcode.AVAILABLE_REGIONS)
        except RefusedError:
            return "the module does not say which regions it knows"
        return f"the module knows {', '.join(REGIONS[code] for code in codes if code in REGIONS) or 'none'}"

    async def _set_power(self, key: str, set_it: Opcode, get_it: Opcode) -> None:
        asked = wanted = round(self._settings.tx_power_dbm * DBM_STEPS)
        limits = _powers(await self._read_back(get_it, _WITH_LIMITS, _WITH_LIMITS, key))
        if len(limits) > 2:  # noqa: PLR2004 - in force, maximum, minimum
            wanted = max(limits[2], min(limits[1], wanted))
        try:
            await self._talk.ask(set_it, wanted.to_bytes(2, "big", signed=True))
        except RefusedError as refusal:
            detail = f"{asked / DBM_STEPS:g} dBm asked, the module answered status {refusal}"
            self._talk.begin("setting_differs", detail, key)
            return
        found = _powers(await self._read_back(get_it, _WITH_LIMITS, _WITH_LIMITS, key))
        if found:
            self._in_force[key] = f"{found[0] / DBM_STEPS:g}"
            if found[0] != asked:
                detail = f"{asked / DBM_STEPS:g} dBm asked, {found[0] / DBM_STEPS:g} dBm in force"
                self._talk.begin("setting_differs", detail, key)

    async def _set_gen2(self) -> None:
        settings = self._settings
        commands = (Opcode.SET_PROTOCOL_PARAMETER, Opcode.GET_PROTOCOL_PARAMETER)
        if settings.session is not None:
            await self._set("session", commands, _SESSION, bytes([settings.session]))
        if settings.target is not None:
            await self._set("target", commands, _TARGET, TARGETS[settings.target])
        if settings.q is not None:
            await self._set("q", commands, _Q, bytes([_FIXED, settings.q]))

    async def _set(self, key: str, commands: tuple[Opcode, Opcode], which: bytes, value: bytes) -> None:
        """Set one value and read it back."""
        set_it, get_it = commands
        try:
            await self._talk.ask(set_it, which + value)
        except RefusedError as refusal:
            self._talk.begin("setting_differs", f"{value.hex().upper()} asked, the module answered {refusal}", key)
            return
        found = await self._read_back(get_it, which, which, key)
        if found is None:
            return
        if found == value:
            self._in_force[key] = str(getattr(self._settings, key, "off"))
        else:
            detail = f"{value.hex().upper()} asked, {found.hex().upper()} in force"
            self._talk.begin("setting_differs", detail, key)

    async def _channels(self) -> dict[int, int]:
        """The hop table, so that a frequency has its place; empty where the module does not say."""
        try:
            table = await self._talk.ask(Opcode.GET_HOP_TABLE)
        except RefusedError:
            return {}
        starts = range(0, len(table) - _HOP_BYTES + 1, _HOP_BYTES)
        return {int.from_bytes(table[at : at + _HOP_BYTES], "big"): place for place, at in enumerate(starts, 1)}

    async def _clear_buffer(self) -> None:
        try:
            await self._talk.ask(Opcode.CLEAR_TAG_BUFFER)
        except RefusedError as refusal:
            self._talk.report(Rejected(f"status_{refusal.status:04x}"))

    async def _read_back(self, opcode: Opcode, data: bytes, echo: bytes, key: str) -> bytes | None:
        """What is in force, or None where the module cannot say."""
        try:
            return await self._talk.ask(opcode, data, echo=echo)
        except RefusedError as refusal:
            self._talk.begin("setting_unverified", f"command {opcode:02X} got status {refusal}", key)
        return None


def _powers(answer: bytes | None) -> list[int]:
    """Power in force, maximum and minimum, in 0.01 dBm, as far as they came."""
    words = answer or b""
    return [int.from_bytes(words[at : at + 2], "big", signed=True) for at in range(0, len(words) - 1, 2)]
