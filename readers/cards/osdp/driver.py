"""Runs libosdp's control panel over a port and tells what its devices read.

Each device is one of: not answering, answering but without the secure channel that its key asks for, online. The state
is told as conditions, the cards of online devices as reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from readers.cards.osdp.keypad import Keypad
from readers.cards.osdp.panel import EventKind, Panel, PanelEvent
from readers.cards.osdp.settings import OsdpSettings, OsdpUnit
from readers.codecs.osdp import Decoder, Frame, Reply, encode
from readers.credentials import credential
from readers.driver import Port, Report
from readers.errors import ConfigError, FrameError, LinkError
from readers.observations import CardRead, CardReads, Condition, DeviceInfo, Rejected, Severity, Watching
from readers.presentation import Presentations
from readers.tagdata.card_formats import Bits
from readers.tagdata.cards import CardIdentity

STEP_S: Final = 0.01  # libosdp is stepped at least so often; it polls each device every 50 ms
GAP_S: Final = 0.05  # a device answers in one go; a device server may divide it
SEEN_WITHIN_S: Final = 3.0  # a device that is there is online by then, and an online one has answered a poll
AGAIN_S: Final = 5.0  # between two attempts at a device that does not come online; libosdp's own 300 s are too long
DEAD_S: Final = 30.0  # no device at all for so long: the link is opened anew
KEY_BYTES: Final = 16
DEFAULT_KEY: Final = bytes(range(0x30, 0x40))  # SCBK-D, printed in every copy of the standard
_LOCAL_STATUS: Final = 2  # tamper, power
_BITS_PER_BYTE: Final = 8
_SECURE_REPLIES: Final = (Reply.CLIENT_CRYPTOGRAM, Reply.INITIAL_MAC)


@dataclass(slots=True)
class _Device:
    """What is known of one device."""

    unit: OsdpUnit
    is_online: bool = False
    tried_s: float = 0.0
    heard_s: float = 0.0
    answered: bool = False
    met_security: bool = False
    nak: int | None = None
    conditions: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        return str(self.unit.address)

    def forget(self, now_s: float) -> None:
        """A new attempt begins."""
        self.tried_s, self.answered, self.met_security, self.nak = now_s, False, False, None


class OsdpDriver:
    """Polls the devices of one line and reports cards and keys."""

    def __init__(self, settings: OsdpSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no device answered for 30 s.
            ConfigError: libosdp or a key is missing, or a key is none.
        """
        keys = [key_of(unit) for unit in self._settings.units]
        panel = Panel([(unit.address, key) for unit, key in zip(self._settings.units, keys, strict=True)])
        session = _Session(self._settings, panel, port, report)
        try:
            while True:
                await session.step()
        finally:
            session.end()


def key_of(unit: OsdpUnit) -> bytes | None:
    """The secure channel base key of a device; None where it has none.

    Raises:
        ConfigError: the credential is missing, or is no key, or the one that everybody knows.
    """
    if unit.scbk_credential is None:
        return None
    text = credential(unit.scbk_credential)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"credential {unit.scbk_credential!r}: a secure channel base key has {2 * KEY_BYTES} hex digits, "
            f"this has {len(text)} characters; write the key that the reader was given"
        )
    if key == DEFAULT_KEY and unit.default_key == "refused":
        raise ConfigError(
            f"credential {unit.scbk_credential!r} holds the default key (SCBK-D) of all OSDP readers, which "
            "protects from nobody: "
            f"give the reader at address {unit.address} a key of its own, with its maker's program, "
            'or set default_key = "allowed"'
        )
    return key


class _Session:
    """One conversation with the devices of one line."""

    def __init__(self, settings: OsdpSettings, panel: Panel, port: Port, report: Report) -> None:
        self._settings = settings
        self._panel = panel
        self._port = port
        self._report = report
        self._decoder = Decoder()
        now_s = port.monotonic_s()
        self._devices = [_Device(unit, tried_s=now_s) for unit in settings.units]
        self._presentations = Presentations(settings.absent_after_s)
        self._keypads = {number: Keypad(settings.keys_within_s) for unit in settings.units for number in unit.ports()}
        self._alive_s = now_s
        self._heard_bytes = 0

    async def step(self) -> None:
        """Listen for a moment, let libosdp think, send what it wants, report what came.

        Raises:
            LinkError: no device has been online for too long.
        """
        data = await self._port.receive(GAP_S if self._decoder.holds else STEP_S)
        self._heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count))  # without a sample: it may hold a card's number
        for frame in frames:
            if frame.is_reply:
                self._note(frame)
                self._panel.offer(encode(frame))
        out = self._panel.step()
        if out:
            await self._port.send(out)
        for event in self._panel.take_events():
            self._tell(event)
        self._supervise()
        now_s = self._port.monotonic_s()
        for number, keypad in self._keypads.items():
            self._report_cards(number, keypad.due(now_s))

    def end(self) -> None:
        """The link is over: cards that wait for keys are told without."""
        for number, keypad in self._keypads.items():
            self._report_cards(number, keypad.flush())

    def _note(self, frame: Frame) -> None:
        """Look at what passes in the clear, to be able to say why a device does not come online."""
        for device in self._devices:
            if device.unit.address == frame.address:
                device.answered = True
                device.heard_s = self._port.monotonic_s()
                device.met_security |= frame.code in _SECURE_REPLIES
                if frame.code == Reply.NAK and not frame.mac:
                    device.nak = frame.data[0] if frame.data else 0

    def _supervise(self) -> None:
        now_s = self._port.monotonic_s()
        changed = False
        for index, device in enumerate(self._devices):
            is_secured = device.unit.scbk_credential is None or self._panel.is_secure(index)
            # libosdp asks for 9 s before it gives a device up
            is_online = self._panel.is_online(index) and is_secured and now_s - device.heard_s < SEEN_WITHIN_S
            if is_online != device.is_online:
                device.is_online, changed = is_online, True
                nak = device.nak
                device.forget(now_s)
                if is_online:
                    self._came_online(index, device)
                else:
                    device.tried_s -= AGAIN_S  # it is tried anew at once
                    why = "fell silent" if nak is None else f"refuses with NAK code {nak}"
                    self._condition(device, "unit_offline", active=True, detail=f"device {device.key} {why}")
            elif not is_online:
                self._wait_for(index, device, now_s)
        online = [device for device in self._devices if device.is_online]
        if changed:
            self._report(Watching(frozenset(port for device in online for port in device.unit.ports())))
        if online:
            self._alive_s = now_s
        elif now_s - self._alive_s > DEAD_S:
            raise LinkError(f"{self._port.description}: {self._why_dead()}")

    def _came_online(self, index: int, device: _Device) -> None:
        for name in ("unit_offline", "secure_channel_failed"):
            self._condition(device, name, active=False)
        identity = self._panel.identity(index)
        several = len(self._devices) > 1
        model = f"{identity.model} at address {device.key}" if several else identity.model
        self._report(DeviceInfo(identity.vendor, model, identity.firmware, identity.serial))
        self._panel.ask_status(index)

    def _wait_for(self, index: int, device: _Device, now_s: float) -> None:
        """A device is not online: say so, and have libosdp try it again before it would by itself."""
        if not self._panel.is_enabled(index):
            self._panel.again(index)
            return
        waited_s = now_s - device.tried_s
        if waited_s > SEEN_WITHIN_S:
            is_known = device.answered
            failed = device.met_security and device.unit.scbk_credential is not None
            if failed:
                self._condition(
                    device,
                    "secure_channel_failed",
                    active=True,
                    detail=f"device {device.key} answers, but not by the key of credential "
                    f"{device.unit.scbk_credential!r}; give both sides the same key (in installation mode it has none)",
                )
            self._condition(device, "unit_offline", active=True, detail=self._why_offline(device, is_known=is_known))
        if waited_s > AGAIN_S:
            device.forget(now_s)
            self._panel.again(index)

    def _why_offline(self, device: _Device, *, is_known: bool) -> str:
        if not is_known:
            return f"device {device.key} does not answer; check its power, wiring, address and speed"
        if device.nak is not None:
            return f"device {device.key} refuses with NAK code {device.nak}"
        return f"device {device.key} answers, but does not come online"

    def _why_dead(self) -> str:
        addresses = ", ".join(device.key for device in self._devices)
        heard = f"{self._heard_bytes} bytes came" if self._heard_bytes else "no byte came"
        return (
            f"no device (address {addresses}) came online within {DEAD_S:g} s; {heard}; OSDP readers start at 9600 8N1"
        )

    def _tell(self, event: PanelEvent) -> None:
        device = self._devices[event.unit]
        kind, told = event.told.get("event"), event.told
        if kind == EventKind.STATUS:
            report = bytes(told.get("report", b""))
            if told.get("type") == _LOCAL_STATUS and len(report) == _LOCAL_STATUS:
                self._condition(device, "tamper", active=bool(report[0]), detail="the housing is open or was moved")
                self._condition(device, "power_failure", active=bool(report[1]), detail="the device lacks power")
            return
        if kind not in (EventKind.CARD, EventKind.KEYS):
            return
        antenna = int(told["reader_no"]) + 1
        if antenna not in device.unit.antennas:
            self._report(Rejected("antenna"))
            return
        number = device.unit.port_of(antenna)
        if kind == EventKind.KEYS:
            self._take_keys(number, bytes(told["data"]))
            return
        try:
            identity = (device.unit.card or self._settings.card).identity(_bits_of(told))
        except FrameError as error:
            self._report(Rejected(error.reason, reads_lost=1))
            return
        now_s = self._port.monotonic_s()
        if not self._presentations.is_new((number, identity), now_s):
            return
        if self._settings.keypad == "with_card":
            self._report_cards(number, self._keypads[number].card(identity, now_s))
        else:
            self._report_cards(number, [(identity, None)])

    def _take_keys(self, number: int, data: bytes) -> None:
        if self._settings.keypad == "ignored":
            self._report(Rejected("keys_ignored", len(data)))
            return
        self._report_cards(number, self._keypads[number].keys(data, self._port.monotonic_s()))

    def _report_cards(self, number: int, cards: list[tuple[CardIdentity, str | None]]) -> None:
        for identity, keys in cards:
            self._report(CardReads(self._port.now_us(), [CardRead(identity, number, keys)]))

    def _condition(self, device: _Device, name: str, *, active: bool, detail: str = "") -> None:
        if active == (name in device.conditions):
            return
        (device.conditions.add if active else device.conditions.discard)(name)
        severity = Severity.FAULT if name != "power_failure" else Severity.WARNING
        self._report(Condition(name, active, severity, device.key, detail if active else ""))


def _bits_of(told: Mapping[str, Any]) -> Bits:
    """The bits of a card as a number.

    Raises:
        FrameError: `length`, their number contradicts the number of bytes.
    """
    data, size = bytes(told["data"]), int(told["length"])
    spare = len(data) * _BITS_PER_BYTE - size
    if not 0 <= spare < _BITS_PER_BYTE or not data:
        raise FrameError("length", f"{size} bits announced, {len(data)} bytes came")
    return Bits(int.from_bytes(data, "big") >> spare, size)
