"""What is known of each device: its state, and what of it is really being watched now.

A device is online only after it has proven so by its own words; what it watches ends with its link, without a word.
The engine believes silence only of what was watched, so a change of `watched` is told at once and in the order of the
reads around it. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.contract.batches import Condition, StatusBatch
from gateway.logs import clean
from readers import observations
from readers.driver import Kind
from readers.observations import DeviceInfo, InForce, Severity, Watching

CONDITIONS_MOST: Final = 64  # per device; a driver's conditions are a fixed set times its antennas
DETAIL_MOST: Final = 300
ONLINE: Final = "online"
DEGRADED: Final = "degraded"
OFFLINE: Final = "offline"


class DeviceState:
    """One device: a reader, or a meter behind a reader's line."""

    def __init__(self, device: str, driver: str, kind: Kind, now_us: int) -> None:
        self.device = device
        self.driver = driver
        self.kind = kind
        self.proven = False
        self.heard = 0
        self.reconnects = 0
        self.clock_offset_us: int | None = None
        self._link: tuple[str, str] = ("starting", "")
        self.since_us = now_us
        self._state = OFFLINE
        self._reason = "starting"
        self._info = DeviceInfo()
        self._watched: tuple[str, ...] = ()
        self._conditions: dict[tuple[str, str], Condition] = {}
        self._in_force: dict[str, str] = {}

    @property
    def watched(self) -> tuple[str, ...]:
        """What is being watched now, sorted."""
        return self._watched if self.proven else ()

    @property
    def state(self) -> str:
        """`online`, `degraded` or `offline`."""
        return self._state

    def prove(self, now_us: int) -> None:
        """The device has spoken."""
        if not self.proven:
            self.proven = True
            self._settle(now_us)

    def fail(self, reason: str, detail: str, now_us: int) -> None:
        """The link has ended, or is not there: nothing is watched, nothing is proven, nothing known to be in force."""
        self._in_force.clear()
        self._away(reason, detail, now_us)

    def _away(self, reason: str, detail: str, now_us: int) -> None:
        self.proven = False
        self._watched = ()
        self._conditions.clear()
        self._link = (reason, clean(detail, DETAIL_MOST))
        self._settle(now_us)

    def info(self, info: DeviceInfo, now_us: int) -> None:
        """The device says who it is."""
        self._info = info
        self.prove(now_us)

    def watch(self, watched: Sequence[str], now_us: int) -> None:
        """The driver says what is being watched from now on."""
        self._watched = tuple(sorted(watched))
        self.prove(now_us)

    def takes(self, observed: InForce, now_us: int) -> None:
        """The driver says which settings are in force."""
        for name, value in observed.values.items():
            if name in self._in_force or len(self._in_force) < CONDITIONS_MOST:
                self._in_force[clean(name, DETAIL_MOST)] = clean(value, DETAIL_MOST)
        self.prove(now_us)

    def silent(self, now_us: int) -> None:
        """A meter that does not answer any more, behind a line that works: its driver does not begin anew."""
        self._away("no_answer", "", now_us)

    def condition(self, observed: observations.Condition, now_us: int) -> None:
        """A condition began or ended."""
        name, key = clean(observed.name, DETAIL_MOST), clean(observed.key, DETAIL_MOST)
        if not observed.active:
            self._conditions.pop((name, key), None)
        elif (name, key) in self._conditions or len(self._conditions) < CONDITIONS_MOST:
            before = self._conditions.get((name, key))
            self._conditions[name, key] = Condition(
                name=name,
                severity=observed.severity.value,
                since_us=before.since_us if before else now_us,
                key=key,
                detail=clean(observed.detail, DETAIL_MOST),
            )
        self._settle(now_us)

    def batch(self, gateway: str, now_us: int) -> StatusBatch:
        """The status as it is told."""
        return StatusBatch(
            gateway=gateway,
            device=self.device,
            received_at_us=now_us,
            state=self._state,
            reason=self._reason,
            since_us=self.since_us,
            detail="" if self.proven else self._link[1],
            watched=list(self.watched),
            conditions=list(self._conditions.values()),
            driver=self.driver,
            manufacturer=clean(self._info.manufacturer, DETAIL_MOST),
            model=clean(self._info.model, DETAIL_MOST),
            firmware=clean(self._info.firmware, DETAIL_MOST),
            heard=self.heard,
            reconnects=self.reconnects,
            clock_offset_us=self.clock_offset_us,
            in_force=dict(self._in_force),
            serial=clean(self._info.serial, DETAIL_MOST),
        )

    def _settle(self, now_us: int) -> None:
        faults = [c for c in self._conditions.values() if c.severity == Severity.FAULT.value]
        if not self.proven:
            state, reason = OFFLINE, self._link[0]
        elif faults:
            state, reason = DEGRADED, faults[0].name
        else:
            state, reason = ONLINE, "ok"
        if (state, reason) != (self._state, self._reason):
            self._state, self._reason, self.since_us = state, reason, now_us


class Watched:
    """The devices of one reader, and what to tell of them.

    `tell` is called with a device whose status has changed, and whether that is urgent (its state, or what it watches)
    or may wait (a detail).
    """

    def __init__(
        self,
        reader: str,
        driver: str,
        kind: Kind,
        sources: Sequence[str],
        read_point: Callable[[int], str],
        tell: Callable[[DeviceState, bool], None],
        now_us: int,
    ) -> None:
        self.reader = reader
        self._kind = kind
        self._read_point = read_point
        self._tell = tell
        self.devices = {name: DeviceState(name, driver, kind, now_us) for name in (reader, *sources)}

    @property
    def watched(self) -> list[str]:
        """Read points, or meters, that are watched now."""
        return [name for device in self.devices.values() for name in device.watched]

    def link_failed(self, reason: str, detail: str, now_us: int) -> None:
        """The link of the reader has ended or could not be opened."""
        for device in self.devices.values():
            self._change(device, lambda d: d.fail(reason, detail, now_us))

    def reconnected(self) -> None:
        """The link is being opened once more."""
        for device in self.devices.values():
            device.reconnects += 1

    def heard(self, source: str | None, count: int, now_us: int) -> None:
        """Items came: the device, and the line that it hangs on, live."""
        for name in {source or self.reader, self.reader}:
            device = self.devices.get(name)
            if device is not None:
                if name == (source or self.reader):
                    device.heard += count
                if not device.proven:
                    self._change(device, lambda d: d.prove(now_us))

    def observe(self, observed: DeviceInfo | InForce | Watching | observations.Condition, now_us: int) -> None:
        """Take what is not telemetry."""
        device = self.devices.get(observed.source or self.reader)
        if device is None:
            raise ValueError(f"reader {self.reader}: its driver speaks of {observed.source!r}, which it does not have")
        if isinstance(observed, DeviceInfo):
            self._change(device, lambda d: d.info(observed, now_us))
        elif isinstance(observed, InForce):
            self._change(device, lambda d: d.takes(observed, now_us))
        elif isinstance(observed, observations.Condition):
            self._change(device, lambda d: d.condition(observed, now_us))
        elif not observed.active and observed.source is not None:
            self._change(device, lambda d: d.silent(now_us))
        else:
            names = self._names(observed, device)
            self._change(device, lambda d: d.watch(names, now_us))
        line = self.devices[self.reader]
        if not line.proven and device.proven:
            self._change(line, lambda d: d.prove(now_us))

    def _names(self, observed: Watching, device: DeviceState) -> list[str]:
        if not observed.active:
            return []
        if self._kind in (Kind.METER, Kind.MACHINE):
            return [device.device]
        return [self._read_point(port) for port in observed.antenna_ports]

    def _change(self, device: DeviceState, change: Callable[[DeviceState], None]) -> None:
        before = device.batch("", 0)
        change(device)
        after = device.batch("", 0)
        if after != before:
            moved = (after.state, after.reason, after.watched) != (before.state, before.reason, before.watched)
            self._tell(device, moved)
