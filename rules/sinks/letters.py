"""What a sink sends to others: documents of the events and alarms that it wants, as they wait in the outbox.

The id of a document is made of what it tells, never of a counter or a clock: whoever gets it twice knows it again. An
alarm's id alone would not do, because the same alarm is raised again; so each state has its time in the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.config.sinks import Format, Sending
from gateway.contract.events import Alarm, Event
from rules.exporters import Exporter
from rules.outputs import Outputs, Parcel, Refusal, SinkTroubleError
from rules.sinks.cases import Case, case_of, limits_of, rfc3339
from rules.sinks.selection import Selection, state_of

BODY_VERSION: Final = 1
LETTERS_AT_ONCE: Final = 16
"""In one parcel, and in one write: so many are sent again after a crash at most."""
MOST_BYTES: Final = 1 << 20
"""Of one document: an event is some hundred bytes, and its fields are bounded by its rule."""
JSON_TYPE: Final = "application/json"
JSON_SUFFIX: Final = "json"


class Letter(msgspec.Struct, array_like=True, frozen=True):
    """One document.

    Attributes:
        id: the same at every attempt, of `[a-z0-9_-]`.
        at_us: the time of what it tells.
        suffix: what a file with it ends with.
        refused: why it cannot be sent to anybody; then the body says what it would have told.
    """

    id: str
    at_us: int
    content_type: str
    suffix: str
    body: bytes
    refused: str = ""

    def refusal(self, reason: str) -> Refusal:
        """This document, for the quarantine."""
        return Refusal(self.body, reason)


class Notice(msgspec.Struct, frozen=True):
    """Our own document: `type` is `event.{type}`, `alarm.{state}` or `case.{state}`, `timestamp` of what it tells."""

    type: str
    timestamp: str
    site: str
    data: Event | Alarm | Case


class _Body(msgspec.Struct, array_like=True):
    version: int
    letters: list[Letter]


class _Made(NamedTuple):
    letter: Letter
    caused_at_us: int


_json: Final = msgspec.json.Encoder()
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Body)


class Clerk:
    """Makes the documents of one sink; `exporter` for the formats of others.

    Raises:
        ExpressionError: a condition of the sink cannot be used.
    """

    def __init__(self, settings: Sending, *, site: str, exporter: Exporter | None = None) -> None:
        self._selection = Selection(settings)
        self._site = site
        self._exporter = exporter
        self._limits_s = limits_of(settings.respond_within_s) if settings.format is Format.CASE else None

    def parcels(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """All documents of these outputs, in their order, a few in each parcel."""
        made = [
            _Made(letter, output.caused_at_us)
            for output in outputs
            if output.events or output.alarms
            for letter in self._letters(output)
        ]
        chunks = [made[start : start + LETTERS_AT_ONCE] for start in range(0, len(made), LETTERS_AT_ONCE)]
        return [
            Parcel(
                "events",
                _encoder.encode(_Body(BODY_VERSION, [each.letter for each in chunk])),
                len(chunk),
                min(each.caused_at_us for each in chunk),
            )
            for chunk in chunks
        ]

    def _letters(self, output: Outputs) -> Iterator[Letter]:
        for event in output.events:
            if self._selection.wants_event(event):
                yield from self._made(event.id, event, event.at_us)
        for alarm in output.alarms:
            if self._selection.wants_alarm(alarm):
                number = f"{alarm.id}-{state_of(alarm)}-{alarm.at_us}"
                yield from self._made(number, alarm, alarm.at_us)

    def _made(self, number: str, told: Event | Alarm, at_us: int) -> Iterator[Letter]:
        try:
            letters = list(self._documents(number, told, at_us))
        except Exception as error:  # noqa: BLE001  # one event that trips a format must not stop the site for ever
            reason = f"no document could be made of it: {type(error).__name__}: {error}"
            letters = [Letter(number, at_us, JSON_TYPE, JSON_SUFFIX, _plain(told), reason[:500])]
        for letter in letters:
            if len(letter.body) > MOST_BYTES:
                reason = f"its document has {len(letter.body)} bytes, at most {MOST_BYTES} are sent"
                yield msgspec.structs.replace(letter, body=letter.body[:MOST_BYTES], refused=reason)
            else:
                yield letter

    def _documents(self, number: str, told: Event | Alarm, at_us: int) -> Iterator[Letter]:
        if self._exporter is None:
            yield Letter(number, at_us, JSON_TYPE, JSON_SUFFIX, _json.encode(self._notice(told, at_us)))
            return
        assert isinstance(told, Event)  # the selection has no alarms for the formats of others
        # One event at a time: what stands in one document must not depend on what was committed together.
        for place, document in enumerate(self._exporter.export([told])):
            own = number if place == 0 else f"{number}-{place + 1}"
            yield Letter(own, at_us, self._exporter.content_type, _suffix(document.name), document.body)

    def _notice(self, told: Event | Alarm, at_us: int) -> Notice:
        if isinstance(told, Event):
            return Notice(f"event.{told.type}", rfc3339(at_us), self._site, told)
        if self._limits_s is None:
            return Notice(f"alarm.{state_of(told)}", rfc3339(at_us), self._site, told)
        case = case_of(told, self._limits_s)
        return Notice(f"case.{case.state}", rfc3339(at_us), self._site, case)


def letters_of(parcels: Iterable[Parcel]) -> list[Letter]:
    """The documents in these parcels.

    Raises:
        SinkTroubleError: a newer version wrote one of them.
    """
    found: list[Letter] = []
    for parcel in parcels:
        version: Any = msgspec.msgpack.decode(parcel.body)[0]
        if version != BODY_VERSION:
            reason = f"a parcel has version {version}, this program writes {BODY_VERSION}; run the newer program"
            raise SinkTroubleError(reason, stopped=True)
        found += _decoder.decode(parcel.body).letters
    return found


def _suffix(name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    return suffix if 0 < len(suffix) <= 8 and suffix.isascii() and suffix.isalnum() and suffix != name else "txt"  # noqa: PLR2004  # longer ones are no suffixes


def _plain(told: Event | Alarm) -> bytes:
    """What cannot be written as it is, for a person to look at."""
    return repr(told).encode("ascii", "backslashreplace")[:MOST_BYTES]
