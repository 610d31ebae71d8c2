"""One task per reader: it opens the port, lets the driver talk, and carries out the policy of each error class.

LinkError, FrameError   back off, try again       ReaderBusyError   the same, status `another_client`
DeviceRefusedError      park until the site file changes
ConfigError             at the first attempt the gateway ends (exit 78); later it backs off: a certificate that is
                        being renewed must not stop the other readers
anything else           a bug: traceback, back off, start the driver anew
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.config.models import Reader
from gateway.edge.intake import Intake, now_us
from gateway.edge.watched import Watched
from gateway.health import Health
from gateway.identity import redacted
from gateway.links import open_link
from gateway.logs import get_log
from readers.control import Controllable
from readers.driver import Driver, DriverSettings, DriverSpec, Port, Report
from readers.errors import ConfigError, DeviceRefusedError, FrameError, LinkError, ReaderBusyError
from readers.observations import Observation

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MOST_S: Final = 30.0
BACKOFF_LOCAL_MOST_S: Final = 4.0  # to open a line of this machine costs nothing, and an adapter is plugged in by hand
GOOD_SPELL_S: Final = 60.0
US_PER_S: Final = 1_000_000
CLOSE_WITHIN_S: Final = 5.0


class Backoff:
    """Growing waits with a random part, so that 64 readers do not return in step; short again after a good spell."""

    def __init__(self, rng: random.Random, *, is_local: bool = False) -> None:
        """`is_local`: a serial line of this machine."""
        self._rng = rng
        self._is_local = is_local
        self._next_s = BACKOFF_FIRST_S

    def after(self, spell_s: float) -> float:
        """How long to wait after a spell of so many seconds in which the device was online."""
        if spell_s >= GOOD_SPELL_S:
            self._next_s = BACKOFF_FIRST_S
        wait_s = self._next_s * self._rng.uniform(0.5, 1.0)
        most_s = min(BACKOFF_LOCAL_MOST_S, BACKOFF_MOST_S) if self._is_local else BACKOFF_MOST_S
        self._next_s = min(2 * self._next_s, most_s)
        return wait_s


class Supervisor:
    """Keeps one reader going until it is cancelled.

    Args:
        listener: hears what the driver reports, after the intake has taken it.
    """

    def __init__(
        self,
        reader: Reader,
        spec: DriverSpec[Any],
        settings: DriverSettings,
        intake: Intake,
        health: Health,
        *,
        opener: Callable[[Reader], Awaitable[Port]] = open_link,
        rng: random.Random | None = None,
        listener: Callable[[Observation], None] | None = None,
    ) -> None:
        self._reader = reader
        self._spec = spec
        self._settings = settings
        self._health = health
        self._open = opener
        self._log = get_log(reader=reader.name, driver=spec.name)
        self._backoff = Backoff(
            rng or random.Random(),  # noqa: S311  # spreads load, hides nothing
            is_local=reader.port.startswith("/"),
        )
        self._opened_once = False
        self._last_fault = ""
        self._repeated = 0
        self.watched: Watched
        self._hides_numbers = intake.hides_numbers(spec.kind)
        self.watched, self._report = intake.reader(
            reader.name, spec.name, spec.kind, reader.read_points, settings.sources()
        )
        if listener is not None:
            self._report = _both(self._report, listener)
        self._made: Driver | None = None
        self._is_talking = False

    @property
    def controllable(self) -> Controllable | None:
        """The driver that talks now, where it can be ordered about; None while there is no link."""
        driver: object = self._made
        return driver if self._is_talking and isinstance(driver, Controllable) else None

    async def run(self) -> None:
        """Talk, fail, wait, and begin again.

        Raises:
            ConfigError: the port or a certificate of the site file is wrong from the start.
        """
        while True:
            wait_s = await self._attempt()
            if wait_s is None:
                await asyncio.get_running_loop().create_future()  # parked until cancelled
            else:
                await asyncio.sleep(wait_s)
                self.watched.reconnected()

    async def _attempt(self) -> float | None:
        """One connection; returns how long to wait for the next one, None for ever."""
        try:
            port = await self._connect()
            try:
                if self._made is None:
                    self._made = self._spec.make(self._settings)
                self._is_talking = True
                await self._made.run(port, self._report)
                raise RuntimeError(f"driver {self._spec.name} returned; a driver talks until it is cancelled")
            finally:
                self._is_talking = False
                await self._close(port)
        except asyncio.CancelledError:
            self.watched.link_failed("stopped", "", now_us())
            raise
        except ReaderBusyError as error:
            return self._failed("another_client", "reader_busy", error)
        except LinkError as error:
            return self._failed("link_failed", "reader_link_failed", error)
        except FrameError as error:
            return self._failed("frame_error", "frame_rejected", error)
        except DeviceRefusedError as error:
            self._failed("refused", "reader_refused", error, level="error")
            return None
        except ConfigError as error:
            if not self._opened_once:
                raise ConfigError(f"reader[{self._reader.name}]: {error}") from error
            return self._failed("configuration", "reader_misconfigured", error, level="error")
        except Exception as error:  # noqa: BLE001  # the one place: a bug in one driver must not stop the others
            self._tell_bug(error)
            self._made = None
            return self._failed("driver_failed", "driver_restarted", error)

    async def _connect(self) -> Port:
        port = await self._open(self._reader)
        self._opened_once = True
        self._log.info("reader_connected", port=port.description)
        self.watched.link_failed("connecting", "the link is open; the device has not proven itself yet", now_us())
        return port

    async def _close(self, port: Port) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await port.close()
        except (TimeoutError, LinkError) as error:
            self._log.info("port_close_failed", error=error)

    def _failed(self, reason: str, event: str, error: Exception, level: str = "warning") -> float:
        said = redacted(str(error)) if self._hides_numbers else str(error)
        line = self.watched.devices[self._reader.name]
        online_s = (now_us() - line.since_us) / US_PER_S if line.proven else 0.0
        wait_s = self._backoff.after(online_s)
        fault = f"{event}: {said}"
        # The same fault again is a counter, and a line when it ends: a dead reader must not fill the log.
        if fault != self._last_fault or online_s:
            told = f"{type(error).__name__}: {said}"
            self._health.trouble(
                self._log, event, level=level, error=told, retry_in_s=round(wait_s, 1), repeated=self._repeated
            )
            self._last_fault, self._repeated = fault, 0
        else:
            self._health.count_trouble(event, level)
            self._repeated += 1
        self.watched.link_failed(reason, said, now_us())
        return wait_s

    def _tell_bug(self, error: Exception) -> None:
        if not self._hides_numbers:
            self._health.trouble(self._log, "driver_failed", level="error", exc_info=error)
            return
        told = f"{type(error).__name__}: {redacted(str(error))}"  # the traceback without its last line, the message
        where = "".join(traceback.format_tb(error.__traceback__))
        self._health.trouble(self._log, "driver_failed", level="error", error=told, exception=where)


def _both(first: Report, second: Callable[[Observation], None]) -> Report:
    def report(observed: Observation) -> None:
        first(observed)
        second(observed)

    return report
