"""The driver `dlms`: meters by DLMS/COSEM, many on one HDLC line, or over TCP with the wrapper.

One request is on the way at a time; `readers.bus` says whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from readers.bus import Ask, Bus, NoReplyError, Poll, Rank
from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.control import Attempt, ControlPoint, Order, Shown
from readers.credentials import credential
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.metered import LineTeller
from readers.meters.dlms.association import AssociationRefusedError, Identity
from readers.meters.dlms.clock import EVERY_S, ClockWatch
from readers.meters.dlms.library import library
from readers.meters.dlms.link import BITS_PER_CHARACTER, HdlcLink, Link, Wire, WrapperLink, address_of
from readers.meters.dlms.meter import Kept, Meter
from readers.meters.dlms.profile import LEAST_GAP_S, BackFill
from readers.meters.dlms.registers import Registers
from readers.meters.dlms.relay import Relays, RelayWatch, is_done
from readers.meters.dlms.settings import Authentication, DlmsSettings, Framing
from readers.meters.dlms.settings import Meter as MeterSettings
from readers.observations import Severity

_NEVER_S: Final = float("inf")
_AGAIN_S: Final = 60.0
_RELAY_MOVES_S: Final = 2.0
_US: Final = 1_000_000
_US_PER_DAY: Final = 86_400 * _US
_KEY_BYTES: Final = 16


class DlmsDriver:
    """Polls its meters until cancelled, and gives orders to their relays. It is a `Controllable`."""

    def __init__(self, settings: DlmsSettings) -> None:
        self._settings = settings
        self._kept = {meter.name: Kept() for meter in settings.meters}
        self._session: _Session | None = None

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. Of several meters one that is silent or refuses is a condition, not an error.

        Raises:
            LinkError: the port is gone, or nobody answers on TCP. DeviceRefusedError: every meter refuses its client.
            ConfigError: a credential is missing or no good, or dlms-cosem is not installed.
        """
        library()
        identities = {meter.name: identity_of(meter) for meter in self._settings.meters}
        session = self._session = _Session(self._settings, self._kept, identities, port, report)
        try:
            await session.bus.run()
        finally:
            self._session = None

    def control_points(self) -> tuple[ControlPoint, ...]:
        """See `Controllable`."""
        return self._settings.control_points()

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        return await self._open_session().relays.observe(source, point)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`.

        Raises:
            LinkError: `run` is not running.
        """
        session = self._open_session()
        attempt = await session.relays.attempt(order)
        session.look_at_relay(order.source)
        return attempt

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """See `Controllable`."""
        del before  # what is read afterwards tells all
        return is_done(order, after)

    def _open_session(self) -> _Session:
        if self._session is None:
            raise LinkError("the line of the meters is not open")
        return self._session


class _Session:
    """One open port with its meters."""

    def __init__(
        self,
        settings: DlmsSettings,
        kept: Mapping[str, Kept],
        identities: Mapping[str, Identity],
        port: Port,
        report: Report,
    ) -> None:
        self._settings = settings
        self._port = port
        self._teller = LineTeller(report, len(settings.meters))
        self._refused: dict[str, str] = {}
        link_of, stray = _links(settings, port, report)
        self.bus = Bus(port, on_silent=self._silent, on_answer=self._answers, on_stray=stray)
        self._meters = {
            each.name: Meter(each, identities[each.name], kept[each.name], partial(link_of, each), report, port.now_us)
            for each in settings.meters
        }
        self._back_fills: dict[str, tuple[BackFill, Poll]] = {}
        self._polls: dict[str, list[Poll]] = {}
        self._relay_polls: dict[str, Poll] = {}
        for meter in self._meters.values():
            self._add_polls(meter)
        self.relays = Relays(self.bus, self._meters, may_order=settings.relay_orders)

    def look_at_relay(self, name: str | None) -> None:
        """Read a meter's relay once it has had time to move."""
        if name is not None and name in self._relay_polls and name not in self._refused:
            self.bus.ask_now(self._relay_polls[name], in_s=_RELAY_MOVES_S)

    def _add_polls(self, meter: Meter) -> None:
        now_s = self._port.monotonic_s()
        registers = Registers(meter, self._settings)
        for rank in (Rank.POWER, Rank.ENERGY, Rank.DEMAND):
            self._add(meter, rank, self._settings.period_s(rank), partial(self._read, registers, rank), now_s)
        relay = self._settings.period_s(Rank.ALARM)
        self._relay_polls[meter.name] = self._add(meter, Rank.ALARM, relay, RelayWatch(meter).ask, now_s)
        clock = self._add(meter, Rank.DEMAND, EVERY_S, self._clock(meter), now_s)
        del clock
        probe = self._add(meter, Rank.ENERGY, _AGAIN_S, meter.prove, _NEVER_S)
        probe.is_probe = True
        if self._settings.backfill_days:
            back_fill = BackFill(meter, registers, self._settings, self._port.monotonic_s)
            poll = self._add(meter, Rank.BACKFILL, _AGAIN_S, partial(self._fill, meter.name), _NEVER_S)
            self._back_fills[meter.name] = back_fill, poll

    def _add(self, meter: Meter, rank: Rank, every_s: float, ask: Ask, due_s: float) -> Poll:
        poll = Poll(meter.name, rank, every_s, self._noted(meter, ask), due_s)
        self._polls.setdefault(meter.name, []).append(poll)
        self.bus.add(poll)
        return poll

    def _clock(self, meter: Meter) -> Ask:
        def again_in(seconds: float) -> None:
            for poll in self._polls[meter.name]:
                if poll.every_s == EVERY_S:
                    poll.due_s = self._port.monotonic_s() + seconds

        return ClockWatch(meter, self._settings, again_in).ask

    async def _read(self, registers: Registers, rank: Rank) -> bool:
        return await registers.read(rank, self._port.monotonic_s())

    async def _fill(self, name: str) -> bool:
        back_fill, poll = self._back_fills[name]
        asked = await back_fill.ask()
        poll.due_s = _NEVER_S if back_fill.is_done else self._port.monotonic_s()
        return asked

    def _noted(self, meter: Meter, ask: Ask) -> Ask:
        """The same question; the meter is told of its silence, and one that refuses its client is asked no more."""

        async def ask_and_note() -> bool | None:
            try:
                return await ask()
            except NoReplyError as error:
                meter.silent(str(error))
                raise
            except AssociationRefusedError as error:
                self._refuse(meter, str(error))
                return False

        return ask_and_note

    def _refuse(self, meter: Meter, detail: str) -> None:
        """Ask a meter no more: many lock their client out after a few wrong passwords.

        Raises:
            DeviceRefusedError: it was the last.
        """
        self._refused[meter.name] = detail
        for poll in self._polls[meter.name]:
            self.bus.remove(poll)
        if len(self._refused) == len(self._meters):
            raise DeviceRefusedError("; ".join(self._refused.values()))
        meter.silent(detail)
        detail = f"{detail}; it is asked no more until the configuration changes or the link is new"
        meter.condition("association_refused", detail=detail, severity=Severity.FAULT)

    def _answers(self, name: str) -> None:
        self._teller.heard()
        if name in self._back_fills:
            self._start_back_fill(self._meters[name])

    def _start_back_fill(self, meter: Meter) -> None:
        now_us = self._port.now_us()
        since_us = meter.silent_since_us
        if since_us is None:
            since_us = now_us - round(self._settings.backfill_days * _US_PER_DAY)
        back_fill, poll = self._back_fills[meter.name]
        if now_us - since_us >= LEAST_GAP_S * _US or meter.kept.unfilled_since_us is not None:
            back_fill.start(since_us, now_us)
            poll.due_s = self._port.monotonic_s()

    def _silent(self, name: str, reason: str) -> None:
        """Called when a meter falls silent.

        Raises:
            LinkError: nobody answers on TCP: a new connection is the only thing that can help.
        """
        del name  # the meter was told already
        if not self.bus.all_silent:
            return
        if self._settings.framing is Framing.WRAPPER:
            raise LinkError(reason)
        self._teller.silent()


def identity_of(meter: MeterSettings) -> Identity:
    """Who the client of a meter is.

    Raises:
        ConfigError: a credential is missing, or is no key.
    """
    if meter.authentication is Authentication.NONE:
        return Identity()
    if meter.authentication is Authentication.LOW:
        assert meter.password_credential is not None
        return Identity(credential(meter.password_credential).encode())
    assert meter.encryption_key_credential is not None
    assert meter.authentication_key_credential is not None
    return Identity(
        None,
        _key(meter.encryption_key_credential),
        _key(meter.authentication_key_credential),
        bytes.fromhex(meter.system_title),
    )


def _key(name: str) -> bytes:
    try:
        key = bytes.fromhex(credential(name))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"credential {name!r}: must be a key of {_KEY_BYTES} bytes, as {2 * _KEY_BYTES} hex digits")
    return key


def _links(
    settings: DlmsSettings, port: Port, report: Report
) -> tuple[Callable[[MeterSettings, int], Link], Callable[[bytes], None]]:
    """What makes the link of a client to a meter, and what takes bytes that nobody asked for."""
    within_s = settings.answer_within_s
    if settings.framing is Framing.WRAPPER:
        tcp = Wire(port, report, dlms_wrapper.Decoder(), byte_s=0.0, most_bytes=dlms_wrapper.MAX_APDU_BYTES)
        delays = {meter.name: tcp.reply_delay(within_s) for meter in settings.meters}

        def wrapped(meter: MeterSettings, client: int) -> Link:
            return WrapperLink(tcp, meter.name, client, meter.logical, delays[meter.name])

        return wrapped, tcp.stray
    line_defaults = DRIVER.line
    assert line_defaults is not None
    byte_s = BITS_PER_CHARACTER / (port.baud or line_defaults.baud)
    line = Wire(port, report, dlms_hdlc.Decoder(), byte_s=byte_s, most_bytes=dlms_hdlc.MAX_FRAME_BYTES)
    delays = {meter.name: line.reply_delay(within_s) for meter in settings.meters}

    def hdlc(meter: MeterSettings, client: int) -> Link:
        return HdlcLink(
            line, meter.name, client, address_of(meter.logical, meter.physical, meter.address_bytes), delays[meter.name]
        )

    return hdlc, line.stray


DRIVER: Final = DriverSpec(
    "dlms",
    Kind.METER,
    DlmsSettings,
    DlmsDriver,
    "meters by DLMS/COSEM: HDLC on a line, or the wrapper on TCP",
    line=LineDefaults(baud=9600),
    tcp_port=4059,
    models=("DLMS/COSEM meters with logical name referencing",),
    extra="dlms",
)
