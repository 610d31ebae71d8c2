"""One session with a reader: from its first event to a verified inventory, and then watch over it.

connection event → version → capabilities → release and drain → delete leftovers → configure → add, enable,
verify the ROSpec → Watching → keepalives, reports, events ... until cancelled or the link fails

With a trigger the ROSpec starts and stops with an input; its antennas are watched while its events say that it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Final

from readers.driver import Port, Report
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import DeviceInfo, Rejected, Severity, Signals, TagReads, Watching
from readers.rfid.llrp import access, answers, control, gpio, handshake, identity, intent, rospecs, vendors
from readers.rfid.llrp.conditions import PASSING_S, Conditions
from readers.rfid.llrp.connection import Connection
from readers.rfid.llrp.reader_time import ReaderTime
from readers.rfid.llrp.reports import ReportDecoder
from readers.rfid.llrp.settings import LlrpSettings

CLOSE_WITHIN_S: Final = 1.5
ACTIVE_WITHIN_S: Final = 5.0  # from ENABLE_ROSPEC to "active"; a reader that tunes its antennas needs a second or two
_ASK_AGAIN_S: Final = 0.25
SILENT_PERIODS: Final = 2.5  # of keepalives: one may be lost to a busy reader, two are none too few
TOGETHER_S: Final = 0.02  # reads that come within it are decoded together; the first of them waits for nothing
UNKNOWN_EVERY_S: Final = 10.0  # parameters that are skipped are counted at once and told this often
_US_PER_S: Final = 1_000_000
_MS_PER_S: Final = 1000
_ANOTHER_ATTEMPTED: Final = 4
_STARTED: Final = "Start_of_ROSpec"
_ENDED: Final = "End_of_ROSpec"


class Session:
    """What is known of one reader during one connection.

    Raises:
        ConfigError: the credential of the tags' access password is missing or wrong.
    """

    def __init__(self, settings: LlrpSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._password = access.password_of(settings)
        self._port = port
        self._report = report
        self._conditions = Conditions(report)
        self._time = ReaderTime(round(intent.batching_s(settings) * _US_PER_S))
        only = settings.antennas[0] if settings.antennas and len(settings.antennas) == 1 else 0
        self._decoder = ReportDecoder(self._time, only)
        self._connection = Connection(port, report, self._heard, self._event)
        self._opened: answers.Event | None = None
        self._can: answers.Capabilities | None = None
        self._connected: dict[int, bool] = {}
        self._lost_at_us: dict[int, int] = {}
        self._gpi_high: dict[int, bool] = {}
        self._verified = False
        self._runs = False
        self._watched: frozenset[int] | None = None
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Talk until cancelled.

        Raises:
            LinkError, ReaderBusyError, FrameError, DeviceRefusedError: as `Driver.run`.
        """
        connection = self._connection
        await handshake.first_message(self._port, connection)
        handshake.accepted(self._port, connection.first_type, self._opened)
        await handshake.negotiate(self._port, connection, self._settings.protocol_version)
        can = self._can = answers.capabilities(await connection.demand(control.get_capabilities()))
        extras = vendors.extensions(can.manufacturer)
        if extras.enable:
            await connection.demand(control.enable_impinj_extensions())
        await self._look_around(can, extras)
        what = intent.plan(self._settings, can, connection.version, self._password)
        # First what the reader kept while nobody listened: its ROSpecs are deleted only afterwards.
        await connection.enable_events_and_reports()
        await connection.ask_for_reports()
        await self._configure(can, extras)
        await self._keep_watch(await self._install(what, can), can)

    async def close(self) -> None:
        """Say goodbye, in a second or so. The ROSpec stays: the reader keeps its reads for the next connection."""
        if self._watched:
            self._report(Watching())
        # The goodbye of a link that is given up anyhow: whatever goes wrong with it, nothing follows from that.
        with contextlib.suppress(TimeoutError, LinkError, FrameError, DeviceRefusedError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._connection.request(control.close_connection())

    def settle(self) -> None:
        """Tell what was counted and not yet told; the last thing of a connection, however it ended."""
        decoder = self._decoder
        for reason, total in (
            ("unknown_parameter", decoder.unknown_parameters),
            ("impossible_time", decoder.impossible_times),
        ):
            if count := total - self._told.get(reason, 0):
                self._told[reason] = total
                self._report(Rejected(reason, count))

    # --- the steps ----------------------------------------------------------------------------------------------

    async def _look_around(self, can: answers.Capabilities, extras: vendors.Extensions) -> None:
        now = answers.configuration(await self._connection.demand(control.get_configuration(extras.read_back)))
        self._connected = dict(now.connected)
        self._report(
            DeviceInfo(
                manufacturer=vendors.name(can.manufacturer),
                model=str(can.model),
                firmware=can.firmware,
                serial=now.reader_id,
            )
        )
        self._check_identity(now.reader_id)

    def _check_identity(self, said: str) -> None:
        pinned = self._settings.identity
        if pinned is None or identity.is_same(pinned, said):
            return
        fault = identity.described(pinned, said)
        self._conditions.begin("identity_changed", fault, severity=Severity.FAULT)
        if self._settings.on_other_identity is identity.OtherIdentity.REFUSE:
            raise LinkError(f"{self._port.description}: {fault}; nothing is read from it")

    async def _configure(self, can: answers.Capabilities, extras: vendors.Extensions) -> None:
        keepalive_s = self._settings.keepalive_s
        await self._connection.demand(
            control.set_configuration(
                keepalive_s,
                warn_buffer=can.can_warn_buffer,
                hold=can.can_hold,
                io=gpio.parameters_for(self._settings, can),
                custom=extras.configuration,
            )
        )
        now = answers.configuration(await self._connection.demand(control.get_configuration(extras.read_back)))
        self._connected = dict(now.connected)
        asked_ms = round(keepalive_s * _MS_PER_S)
        self._compare("keepalive_s", f"{asked_ms} ms", f"{now.keepalive_ms} ms")
        if can.can_hold:
            self._compare("hold_upon_reconnect", "True", str(now.holds))
        if extras.configuration:
            self._compare("link_monitor", str(vendors.LINK_DOWN_KEEPALIVES), str(now.link_monitor_keepalives))
        for setting, asked, actual in gpio.compared(self._settings, can, now):
            self._compare(setting, asked, actual)
        self._gpi_high |= now.gpi_high
        if (levels := gpio.states(now, self._port.now_us())) is not None:
            self._report(levels)
        for port, connected in self._connected.items():
            if not connected and (self._settings.antennas is None or port in self._settings.antennas):
                self._antenna(port, connected=False)

    async def _install(self, what: intent.Plan, can: answers.Capabilities) -> intent.Plan:
        connection = self._connection
        self._verified = False
        if self._watched is not None:
            self._watched = None
            self._report(Watching())
        for request in (control.delete_accessspecs(), control.delete_rospecs()):
            # Some readers refuse to delete nothing. Whether anything is left shows when the ROSpecs are read back.
            with contextlib.suppress(DeviceRefusedError):
                await connection.demand(request)
        try:
            await connection.demand(control.add_rospec(rospecs.encode(what)))
        except DeviceRefusedError:
            if what.report_trigger != intent.BY_TIME:
                raise
            what = intent.by_count(what, self._settings)  # it speaks 1.1, but not the part of it that reports by time
            await connection.demand(control.add_rospec(rospecs.encode(what)))
        if what.reads is not None:
            await self._install_reads(what.reads)
        await connection.demand(control.enable_rospec(rospecs.ROSPEC_ID))
        ours = await self._enabled(what)
        different = {each.setting: each for each in rospecs.differences(what, ours, can)}
        for setting in rospecs.COMPARED:
            each = different.get(setting)
            self._compare(setting, each.asked if each else "", each.actual if each else "")
        self._verified = True
        self._runs = ours.state == rospecs.ACTIVE
        if not self._runs and what.trigger and self._gpi_high.get(what.trigger.gpi) == what.trigger.is_high:
            # Its input asked for it before it was there, and a reader waits for the next change. It may have come.
            with contextlib.suppress(DeviceRefusedError):
                await connection.demand(control.start_rospec(rospecs.ROSPEC_ID))
        self._watch()
        return what

    async def _enabled(self, what: intent.Plan) -> rospecs.Rospec:
        """The ROSpec as the reader holds it, once it is active; with a trigger, once it is enabled."""
        connection = self._connection
        wanted = rospecs.ACTIVE if what.trigger is None else rospecs.INACTIVE
        deadline_s = self._port.monotonic_s() + ACTIVE_WITHIN_S
        while True:
            held = rospecs.held(await connection.demand(control.get_rospecs()))
            ours = next((rospec for rospec in held if rospec.id == rospecs.ROSPEC_ID), None)
            if ours and ours.state >= wanted:
                break
            if self._port.monotonic_s() >= deadline_s:
                state = f"in state {ours.state} (0 disabled, 1 inactive)" if ours else "not there"
                raise LinkError(
                    f"{self._port.description}: verifying the ROSpec: it is {state} {ACTIVE_WITHIN_S:g} s after it was "
                    "enabled, so nothing is read; look at the reader's own log for its radio and antennas"
                )
            await self._wait(_ASK_AGAIN_S)
        others = [rospec.id for rospec in held if rospec.id != rospecs.ROSPEC_ID]
        self._compare("rospecs", str([rospecs.ROSPEC_ID]), str([rospecs.ROSPEC_ID, *others]))
        return ours

    async def _install_reads(self, reads: access.Reads) -> None:
        connection = self._connection
        await connection.demand(control.add_accessspec(access.background(reads, rospecs.ROSPEC_ID)))
        await connection.demand(control.enable_accessspec(access.BACKGROUND_ID))
        held = access.held(await connection.demand(control.get_accessspecs()))
        active = [each.id for each in held if each.is_active]
        self._compare("accessspecs", str([access.BACKGROUND_ID]), str(active))

    async def _wait(self, seconds: float) -> None:
        until_s = self._port.monotonic_s() + seconds
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            await self._connection.pump(left_s)

    async def _keep_watch(self, what: intent.Plan, can: answers.Capabilities) -> None:
        port, connection = self._port, self._connection
        silent_s = self._settings.keepalive_s * SILENT_PERIODS
        poll_at_s = port.monotonic_s()
        tell_at_s = poll_at_s + UNKNOWN_EVERY_S
        while True:
            now_s = port.monotonic_s()
            if now_s >= connection.heard_s + silent_s:
                raise LinkError(
                    f"{port.description}: silent for {silent_s:g} s, though a keepalive is due every "
                    f"{self._settings.keepalive_s:g} s; the reader hangs or the network is cut"
                )
            if connection.poll_refused and what.poll_s is not None:
                what = await self._install(replace(what, report_n=1, poll_s=None), can)
                self._compare(
                    "report_within_s", f"{what.report_within_s:g} s", "each read by itself: it knows no GET_REPORT"
                )
                continue
            if what.poll_s is not None and now_s >= poll_at_s:
                await connection.ask_for_reports()
                poll_at_s = now_s + what.poll_s
            if now_s >= tell_at_s:
                self.settle()
                tell_at_s = now_s + UNKNOWN_EVERY_S
            self._conditions.expire(now_s)
            wake_s = min(connection.heard_s + silent_s, tell_at_s, poll_at_s if what.poll_s else tell_at_s)
            if await connection.pump(max(0.0, wake_s - now_s)):
                await port.pause(TOGETHER_S)

    # --- what the reader says -----------------------------------------------------------------------------------

    def _heard(self, payloads: list[bytes], received_at_us: int) -> None:
        for observation in self._decoder.decode(payloads, received_at_us):
            self._report(observation)
            if isinstance(observation, TagReads) and self._verified and not all(self._connected.values()):
                # A read proves that the antenna is there, whatever its sensor says.
                for port in {*observation.antenna_port} & {port for port, on in self._connected.items() if not on}:
                    if self._is_after_its_loss(port, observation):
                        self._antenna(port, connected=True)

    def _is_after_its_loss(self, port: int, reads: TagReads) -> bool:
        """Whether an antenna was heard after it was lost: what had been collected before may be reported later."""
        if reads.last_seen_us is None or port not in self._lost_at_us:
            return True
        seen = (time for at, time in zip(reads.antenna_port, reads.last_seen_us, strict=True) if at == port)
        return any(time is None or time > self._lost_at_us[port] for time in seen)

    def _event(self, event: answers.Event, received_at_us: int) -> LinkError | None:
        """Take one event; what is returned ends the connection, after the reports that came along with it."""
        if self._opened is None:
            self._opened = event
        self._set_clock(event, received_at_us)
        until_s = self._port.monotonic_s() + PASSING_S
        begin = self._conditions.begin
        if event.closes:
            return LinkError(f"{self._port.description}: the reader closes the connection (ConnectionCloseEvent)")
        if event.antenna is not None:
            port, connected = event.antenna
            if event.utc_us is not None and not connected:
                self._lost_at_us[port] = event.utc_us
            self._antenna(port, connected=connected)
        if event.buffer_fill_percent is not None:
            begin(
                "buffer_filling", f"the reader's report buffer is {event.buffer_fill_percent} % full", until_s=until_s
            )
        if event.buffer_overflow:
            begin(
                "buffer_overflow",
                "the reader's report buffer overflowed: it lost reads, nobody knows how many",
                severity=Severity.FAULT,
                until_s=until_s,
            )
        if event.exception is not None:
            begin("reader_exception", event.exception, until_s=until_s)
        if event.connection_attempt == _ANOTHER_ATTEMPTED:
            begin("second_client", "another client tried to connect", severity=Severity.INFO, until_s=until_s)
        if event.gpi is not None:
            port, is_high = event.gpi
            self._gpi_high[port] = is_high
            self._report(Signals(received_at_us, (gpio.signal(port, is_high=is_high),)))
        if event.rospec is not None and self._verified and event.rospec[1] == rospecs.ROSPEC_ID:
            return self._rospec_event(event.rospec[0])
        return None

    def _rospec_event(self, what: str) -> LinkError | None:
        if what == _STARTED or (what == _ENDED and self._settings.trigger is not None):
            self._runs = what == _STARTED
            self._watch()
            return None
        return LinkError(
            f"{self._port.description}: the reader stopped the inventory ({what}); it is set up anew. "
            "Another program may control it, or its radio failed: look at the reader's own log"
        )

    def _set_clock(self, event: answers.Event, received_at_us: int) -> None:
        reader_us = event.utc_us
        if reader_us is None and event.uptime_us is not None:
            reader_us = self._time.from_uptime(event.uptime_us, received_at_us)
        if reader_us is None:
            return
        if event is self._opened:
            self._time.event(reader_us, received_at_us)
        else:
            self._time.newest(reader_us, received_at_us)  # may have been held back as reports are

    def _antenna(self, port: int, *, connected: bool) -> None:
        self._connected[port] = connected
        if connected:
            self._conditions.end("antenna_disconnected", str(port))
        else:
            self._conditions.begin(
                "antenna_disconnected",
                f"antenna port {port}: the reader finds no antenna; check cable and connector",
                key=str(port),
                severity=Severity.FAULT,
            )
        if self._verified:
            self._watch()

    def _watch(self) -> None:
        can = self._can
        asked = self._settings.antennas or tuple(range(1, (can.antenna_count if can else 0) + 1))
        # A port that the reader says nothing of counts as connected: not every reader can tell.
        ports = frozenset(port for port in asked if self._runs and self._connected.get(port, True))
        if ports != self._watched:
            self._watched = ports
            self._report(Watching(ports))

    def _compare(self, setting: str, asked: str, actual: str) -> None:
        if asked == actual:
            self._conditions.end("setting_differs", setting)
        else:
            detail = f"{setting}: asked {asked}, the reader has {actual}"
            self._conditions.begin("setting_differs", detail, key=setting)
