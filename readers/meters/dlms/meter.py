"""One meter: its link and association, begun anew when they are lost, and whether it answers at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from readers.bus import NoReplyError
from readers.codecs.dlms_data import Denied, Result
from readers.driver import Report
from readers.errors import FrameError, ReaderError
from readers.metered import MeterTeller
from readers.meters.dlms.association import (
    MOST_COUNTER,
    Association,
    AssociationRefusedError,
    Attribute,
    Identity,
    LostError,
    ServiceError,
    Span,
    StaleError,
    StrangeValueError,
)
from readers.meters.dlms.link import Link
from readers.meters.dlms.settings import PUBLIC_CLIENT, Authentication, obis
from readers.meters.dlms.settings import Meter as MeterSettings
from readers.obis import ObisCode
from readers.observations import Condition, DeviceInfo, Rejected, Severity

AT_ONCE: Final = 10  # attributes in one request, which then fits one HDLC frame
OTHER_REASON: Final = 250
TYPE_UNMATCHED: Final = 12
RESULTS: Final = {
    1: "hardware fault",
    2: "temporary failure",
    3: "read or write denied",
    4: "object undefined",
    9: "object class inconsistent",
    11: "object unavailable",
    12: "type unmatched",
    13: "scope of access violated",
    14: "data block unavailable",
    15: "long get aborted",
    16: "no long get in progress",
    19: "data block number invalid",
    250: "other reason",
}
_STALE_MOST: Final = 8
_DEVICE_NAME: Final = Attribute(1, ObisCode(0, 0, 42, 0, 0), 2)
_SERIAL: Final = Attribute(1, ObisCode(0, 0, 96, 1, 0), 2)
_MAKER_LETTERS: Final = 3
_TEXT_MOST: Final = 64
T = TypeVar("T")
Step = TypeVar("Step")


@dataclass(slots=True)
class Kept:
    """What a driver knows of a meter across links.

    Attributes:
        last_good_us: when it answered last.
        unfilled_since_us: from when on its profile is still to be read.
        counter: the next invocation counter.
    """

    last_good_us: int | None = None
    unfilled_since_us: int | None = None
    counter: int = 0


class Meter:
    """One meter while a port lasts.

    Args:
        link_of: makes the link of a client to it.

    Attributes:
        watched: None until it answers or fails to.
    """

    def __init__(
        self,
        settings: MeterSettings,
        identity: Identity,
        kept: Kept,
        link_of: Callable[[int], Link],
        report: Report,
        now_us: Callable[[], int],
    ) -> None:
        self.name = settings.name
        self.kept = kept
        self.report = report
        self.now_us = now_us
        self._teller = MeterTeller(settings.name, report)
        self.silent_since_us: int | None = None
        self._settings = settings
        self._identity = identity
        self._link_of = link_of
        self._link = link_of(settings.client)
        self._association: Association | None = None
        self._takes_lists = True
        self._is_introduced = False

    async def get(self, attributes: Sequence[Attribute], span: Span | None = None) -> list[Result]:
        """The values of attributes, or why there are none; in several requests where one cannot hold them.

        Raises:
            NoReplyError: the meter is silent, or answers nothing that can be followed. AssociationRefusedError: it
                will not have this client. LinkError: the port is gone.
        """
        results: list[Result] = []
        rest = list(attributes)
        while rest:
            await self._ready()
            size = AT_ONCE if self._takes_lists else 1
            results += await self._part(rest[:size], span)
            del rest[:size]
        return results

    async def act(
        self, class_id: int, code: ObisCode, method: int, parameter: bytes, sending: Callable[[], None]
    ) -> int:
        """Call a method once and return its Action-Result. `sending` is called right before it is sent.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `get`. FrameError, ServiceError, LostError: the
                answer says nothing that can be followed.
        """
        association = await self._ready()
        request = association.act(class_id, code, method, parameter)
        self.kept.counter = association.counter
        sending()
        try:
            await self._link.send(request)
            return await self._take(self._link, association.take_outcome, repeats=False)
        except (NoReplyError, FrameError, LostError, ServiceError):
            self._association = None
            raise

    async def prove(self) -> bool:
        """Ask what every meter has; only whether it answers matters.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `get`.
        """
        await self.get([_DEVICE_NAME])
        return True

    def reject(self, error: FrameError, *, reads_lost: int = 0) -> None:
        """Count an answer that makes no sense."""
        self.report(Rejected(f"data_{error.reason}", reads_lost=reads_lost, sample=error.frame, source=self.name))

    def condition(
        self, name: str, key: str = "", detail: str = "", *, active: bool = True, severity: Severity = Severity.WARNING
    ) -> None:
        """Report a condition of this meter."""
        self.report(Condition(name, active, severity, key, detail, self.name))

    @property
    def watched(self) -> bool | None:
        """Whether it answers; None until it has answered or failed to."""
        return self._teller.answers

    def silent(self, detail: str) -> None:
        """It does not answer."""
        self._association = None
        self._teller.silent(detail)

    async def introduce(self) -> None:
        """Say once who the meter says it is.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `get`.
        """
        if self._is_introduced:
            return
        name, serial = (_text(result) for result in await self.get([_DEVICE_NAME, _SERIAL]))
        self._is_introduced = True
        maker = name[:_MAKER_LETTERS] if name[:_MAKER_LETTERS].isalpha() else ""
        if name or serial:
            self.report(DeviceInfo(manufacturer=maker, model=name, serial=serial, source=self.name))

    async def _part(self, attributes: Sequence[Attribute], span: Span | None) -> list[Result]:
        try:
            return await self._asked(attributes, span)
        except ServiceError:
            if len(attributes) == 1:
                return [Denied(OTHER_REASON)]
            self._takes_lists = False
        except StrangeValueError:
            self.report(Rejected("data_type", reads_lost=len(attributes), source=self.name))
            if len(attributes) == 1:
                return [Denied(TYPE_UNMATCHED)]
        return [result for each in attributes for result in await self._part([each], span)]

    async def _asked(
        self, attributes: Sequence[Attribute], span: Span | None, *, is_last: bool = False
    ) -> list[Result]:
        """Ask, and once more in a new association when the meter has forgotten this one or makes no sense."""
        association = await self._ready()
        request = association.get(attributes, span)
        try:
            results = await self._converse(self._link, association, request, association.take_values)
        except NoReplyError:
            self._association = None
            raise
        except ServiceError:
            if is_last or len(attributes) > 1:
                raise
        except (LostError, FrameError) as error:
            self._unfollowed(error, reads_lost=len(attributes))
            if is_last:
                self._association = None
                raise NoReplyError(f"meter {self.name} answers nothing that can be followed: {error}") from error
        else:
            self._answers()
            return results
        self._association = None
        return await self._asked(attributes, span, is_last=True)

    async def _converse(
        self, link: Link, association: Association, apdu: bytes, take: Callable[[bytes], bytes | T]
    ) -> T:
        """Send, and send on what the answers call for, until there is a result."""
        while True:  # an association has only so many steps, and a value only so many blocks
            self.kept.counter = max(self.kept.counter, association.counter)
            await link.send(apdu)
            step = await self._take(link, take)
            if not isinstance(step, bytes):
                return step
            apdu = step

    async def _take(self, link: Link, take: Callable[[bytes], Step], *, repeats: bool = True) -> Step:
        for _ in range(_STALE_MOST):
            try:
                return take(await link.receive(repeats=repeats))
            except StaleError:
                self.report(Rejected("foreign_apdu", source=self.name))
        raise FrameError("apdu", f"{_STALE_MOST} APDUs came, and none was the answer")

    def _unfollowed(self, error: ReaderError, *, reads_lost: int = 0) -> None:
        if isinstance(error, FrameError):
            self.reject(error, reads_lost=reads_lost)

    async def _ready(self) -> Association:
        """The association, begun where there is none."""
        if self._association is not None:
            return self._association
        counter = 0
        if self._settings.authentication is Authentication.HLS_GMAC:
            counter = await self._fresh_counter()
        association = await self._begin(self._link, self._identity, counter)
        self._takes_lists = association.takes_lists
        self._association = association
        self._answers()
        return association

    async def _begin(self, link: Link, identity: Identity, counter: int) -> Association:
        association = Association(identity, counter)
        try:
            await link.open()
            await self._converse(link, association, association.request(), association.take_response)
        except AssociationRefusedError as error:
            if error.is_for_good:
                raise AssociationRefusedError(f"meter {self.name}: {error}", is_for_good=True) from error
            raise NoReplyError(f"meter {self.name}: {error}") from error
        except (FrameError, LostError) as error:
            self._unfollowed(error)
            raise NoReplyError(f"meter {self.name}: no association: {error}") from error
        return association

    async def _fresh_counter(self) -> int:
        """A counter above all that the meter has seen of this client, which the public client may read."""
        link = self._link_of(PUBLIC_CLIENT)
        public = await self._begin(link, Identity(), 0)
        wanted = Attribute(1, obis(self._settings.counter), 2)
        try:
            (seen,) = await self._converse(link, public, public.get([wanted]), public.take_values)
        except (FrameError, LostError, ServiceError, StrangeValueError) as error:
            raise NoReplyError(f"meter {self.name}: its invocation counter cannot be read: {error}") from error
        await link.close(public.release())
        if isinstance(seen, bool) or not isinstance(seen, int) or not 0 <= seen < MOST_COUNTER - 1:
            raise AssociationRefusedError(
                f"meter {self.name}: does not tell the public client the invocation counter {self._settings.counter}; "
                f"it says {_shown(seen)}. Say in `counter` where the one of client {self._settings.client} is",
                is_for_good=True,
            )
        return max(seen + 1, self.kept.counter)

    def _answers(self) -> None:
        now_us = self.now_us()
        if self._teller.heard():
            self.silent_since_us = self.kept.last_good_us
        self.kept.last_good_us = now_us


def why(denied: Denied) -> str:
    """What a result says."""
    return f"{RESULTS.get(denied.result, 'an unknown reason')} ({denied.result})"


def _text(result: Result) -> str:
    if isinstance(result, bytes):
        result = result.decode("latin-1")
    return result.strip("\0 ")[:_TEXT_MOST] if isinstance(result, str) else ""


def _shown(result: object) -> str:
    return why(result) if isinstance(result, Denied) else str(result)[:_TEXT_MOST]
