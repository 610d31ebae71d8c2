"""One LLRP connection: messages in and out, each answer matched to its request, and deadlines for everything.

Nothing here knows what the messages are for; `session.py` does. A connection object lives as long as its port.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from readers.driver import Port, Report
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Rejected
from readers.rfid.llrp import answers, control
from readers.rfid.llrp.framing import CUSTOM, VERSION_1_0_1, Framer, Message, encode
from readers.rfid.llrp.reports import RO_ACCESS_REPORT

FRAME_WITHIN_S: Final = 5.0  # from a message's first byte to its last: a reader that drips is as good as dead
BEHIND_REPORTS_S: Final = 30.0  # an answer may stand behind tens of thousands of messages that a reader kept for us
SHORTEST_WAIT_S: Final = 0.001  # a rest of a wait that the clock cannot resolve would be waited for without end
_LARGEST_ID: Final = 0xFFFF_FFFF
_SAMPLE_BYTES: Final = 64
# Messages that LLRP defines from reader to client; whatever else comes is unknown. Source: LLRP 1.1, table 16.
_KNOWN: Final = frozenset(
    {4, 11, 12, 13, 30, 31, 32, 33, 34, 35, 36, 45, 50, 51, 52, 53, 54, 56, 57, 61, 62, 63, 100, CUSTOM}
)


class NoAnswerError(LinkError):
    """The reader did not answer a request in time."""


class Connection:
    """Sends requests and hands on what the reader says of itself.

    Args:
        on_reports: takes the payloads of RO_ACCESS_REPORTs that came together, and their time of arrival.
        on_event: takes an event, and its time of arrival; what it returns is raised once all that came is handed on.

    Attributes:
        version: the LLRP version in force.
        heard_s: when the last whole message came.
        first_type: the type of the first message.
        poll_refused: the reader does not know GET_REPORT.
    """

    def __init__(
        self,
        port: Port,
        report: Report,
        on_reports: Callable[[list[bytes], int], None],
        on_event: Callable[[answers.Event, int], LinkError | None],
    ) -> None:
        self.version = VERSION_1_0_1
        self.heard_s = port.monotonic_s()
        self.first_type: int | None = None
        self.poll_refused = False
        self._port = port
        self._report = report
        self._on_reports = on_reports
        self._on_event = on_event
        self._framer = Framer()
        self._partial_since_s: float | None = None
        self._next_id = 1
        self._poll_id: int | None = None
        self._request: control.Request | None = None
        self._request_id = 0
        self._answers: list[Message] = []
        self._acknowledgements: list[bytes] = []
        self._fault: LinkError | None = None

    async def request(self, request: control.Request) -> bytes:
        """Send a request and return the payload of its answer.

        Raises:
            NoAnswerError: no answer within the step's time, which starts anew with each tag report, up to 30 s.
            LinkError: the link broke, or the device is in trouble.
            DeviceRefusedError: the reader answered with ERROR_MESSAGE.
            FrameError: the stream cannot be followed.
        """
        self._request = request
        self._answers.clear()
        self._request_id = await self._send(request.type, request.payload, request.header_version)
        began_s = self._port.monotonic_s()
        deadline_s = began_s + request.within_s
        try:
            while not self._answers:
                left_s = deadline_s - self._port.monotonic_s()
                if left_s <= 0:
                    raise NoAnswerError(
                        f"{self._port.description}: {request.step}: no answer within {deadline_s - began_s:.3g} s; "
                        "the reader hangs, restart it if this goes on"
                    )
                if await self.pump(left_s, request.step):
                    deadline_s = min(self._port.monotonic_s() + request.within_s, began_s + BEHIND_REPORTS_S)
        finally:
            self._request = None
        answer = self._answers[0]
        if answer.type == control.ERROR_MESSAGE:
            raise self._refusal(request.step, answers.status(answer.payload))
        return answer.payload

    async def demand(self, request: control.Request) -> bytes:
        """The same, where the answer's LLRPStatus must be success.

        Raises:
            DeviceRefusedError: it is not; the message holds the reader's own words.
            LinkError: the status says that the device itself is in trouble, which may pass; or as `request`.
            FrameError: as `request`, or an answer without status.
        """
        payload = await self.request(request)
        status = answers.custom_status(payload) if request.type == CUSTOM else answers.status(payload)
        if not status.ok:
            raise self._refusal(request.step, status)
        return payload

    def _refusal(self, step: str, status: answers.Status) -> LinkError | DeviceRefusedError:
        if status.code == answers.DEVICE_ERROR:
            return LinkError(f"{self._port.description}: {step}: the reader is in trouble: {status.text}")
        return DeviceRefusedError(f"{self._port.description}: {step}: the reader refuses: {status.text}")

    async def enable_events_and_reports(self) -> None:
        """Release what the reader held back; it does not answer."""
        await self._send(control.ENABLE_EVENTS_AND_REPORTS)

    async def ask_for_reports(self) -> None:
        """Ask for what the reader has collected; it answers with reports, or not at all when there are none."""
        self._poll_id = await self._send(control.GET_REPORT)

    async def _send(self, message_type: int, payload: bytes = b"", version: int | None = None) -> int:
        message_id = self._next_id
        self._next_id = message_id % _LARGEST_ID + 1
        await self._port.send(encode(message_type, message_id, payload, version or self.version))
        return message_id

    async def pump(self, within_s: float, step: str = "watching the inventory") -> bool:
        """Wait at most `within_s` for bytes, act on the messages in them, and say whether tag reports were among them.

        Raises:
            LinkError: the link broke, or an event ended it.
            FrameError: the stream cannot be followed, or a message drips in too slowly.
        """
        if self._partial_since_s is not None:
            within_s = min(within_s, self._partial_since_s + FRAME_WITHIN_S - self._port.monotonic_s())
        try:
            data = await self._port.receive(max(SHORTEST_WAIT_S, within_s))
            reported = self._take(data)
            if self._acknowledgements:
                # Only now: a link that breaks here must not cost the reports that came along with the keepalive.
                acknowledgements = b"".join(self._acknowledgements)
                self._acknowledgements.clear()
                await self._port.send(acknowledgements)
        except LinkError as error:
            raise LinkError(f"{error} (while {step})") from error
        if self._fault is not None:
            raise self._fault
        return reported

    def _take(self, data: bytes) -> bool:
        received_at_us, now_s = self._port.now_us(), self._port.monotonic_s()
        whole = reported = False
        reports: list[bytes] = []
        try:
            for message in self._framer.feed(data):
                whole = True
                if self.first_type is None:
                    self.first_type = message.type
                if message.type == RO_ACCESS_REPORT:
                    reports.append(message.payload)
                    reported = True
                    continue
                if reports:
                    self._on_reports(reports, received_at_us)
                    reports = []
                self._act(message, received_at_us)
        finally:
            if reports:  # what was whole before the stream broke counts
                self._on_reports(reports, received_at_us)
        if whole:
            self.heard_s = now_s
        self._watch_partial(now_s, whole=whole)
        return reported

    def _watch_partial(self, now_s: float, *, whole: bool) -> None:
        if not self._framer.held_bytes:
            self._partial_since_s = None
        elif whole or self._partial_since_s is None:
            self._partial_since_s = now_s
        elif now_s - self._partial_since_s >= FRAME_WITHIN_S:
            raise FrameError(
                "deadline",
                f"a message is not whole {FRAME_WITHIN_S:g} s after its start, {self._framer.held_bytes} bytes",
            )

    def _act(self, message: Message, received_at_us: int) -> None:
        request = self._request
        if message.type == control.KEEPALIVE:
            self._acknowledgements.append(encode(control.KEEPALIVE_ACK, message.id, version=self.version))
        elif message.type == control.READER_EVENT_NOTIFICATION:
            self._hand_on(message, received_at_us)
        elif request and message.id == self._request_id and request.answered_by(message.type, message.payload):
            self._answers.append(message)
        elif message.type == control.ERROR_MESSAGE:
            # A reader that does not know a message's version may answer with an id of its own.
            if request and (message.id == self._request_id or request.header_version is not None):
                self._answers.append(message)
            elif message.id == self._poll_id:
                self.poll_refused = True
            else:
                self._reject("error_message", message)
        else:
            self._reject("unexpected_message" if message.type in _KNOWN else "unknown_message", message)

    def _hand_on(self, message: Message, received_at_us: int) -> None:
        try:
            event = answers.event(message.payload)
        except FrameError:
            self._reject("event", message)
            return
        if event.unknown:
            self._report(Rejected("unknown_parameter", event.unknown, sample=message.payload[:_SAMPLE_BYTES]))
        self._fault = self._on_event(event, received_at_us) or self._fault

    def _reject(self, reason: str, message: Message) -> None:
        sample = encode(message.type, message.id, message.payload[:_SAMPLE_BYTES], message.version)
        self._report(Rejected(reason, sample=sample))
