"""The GS1 event hash: an id of an EPCIS event made of what it says, the same for everybody who works it out.

    ni:///sha-256;HHHH…HHHH?ver=CBV2.0        H: SHA-256, 64 hex digits, of the pre-hash string of the event:

    eventType=ObjectEventeventTime=2026-09-21T14:13:20.000ZeventTimeZoneOffset=+08:00epcListepc=https://id.gs1.org/…

It holds key and value of each field, in canonical order and form, lists sorted, extensions by their full name, without
separators. `eventID`, `recordTime` and `errorDeclaration` do not count.

Source: GS1 Core Business Vocabulary 2.0, section 8.9; RFC 6920 (ni URIs). The algorithm in its reference
implementation: epcis-event-hash-generator 1.9.3, which differs where `bizTransactionList` meets `sourceList`,
`destinationList` or `sensorElementList` in one event: it appends them in another order than the standard's table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from rules.exporters.gs1_uri import canonical

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

VOCABULARIES: Final = {
    "epcis": "https://ref.gs1.org/epcis/",
    "cbv": "https://ref.gs1.org/cbv/",
    "gs1": "https://gs1.org/voc/",
}
"""Prefixes that the context of EPCIS 2.0 defines."""
_TIMES: Final = frozenset({"eventTime", "time", "startTime", "endTime"})
_LEFT_OUT: Final = frozenset(
    {"type", "eventID", "recordTime", "errorDeclaration", "@context", "comment", "rdfs:comment", "#text"}
)
_EPC_LISTS: Final = frozenset({"epcList", "inputEPCList", "childEPCs", "outputEPCList"})
_QUANTITY_LISTS: Final = frozenset({"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"})
_TYPED_LISTS: Final = {"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}
_EVENT: Final = (
    "eventTime",
    "eventTimeZoneOffset",
    "certificationInfo",
    "epcList",
    "parentID",
    "inputEPCList",
    "childEPCs",
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "action",
    "transformationID",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "sensorElementList",
    "ilmd",
)
_METADATA: Final = (
    "time",
    "startTime",
    "endTime",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
)
_REPORT: Final = (
    "type",
    "exception",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "time",
    "microorganism",
    "chemicalSubstance",
    "value",
    "component",
    "stringValue",
    "booleanValue",
    "hexBinaryValue",
    "uriValue",
    "minValue",
    "maxValue",
    "meanValue",
    "sDev",
    "percRank",
    "percValue",
    "uom",
    "coordinateReferenceSystem",
)
_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "quantityElement": ("epcClass", "quantity", "uom"),
    "persistentDisposition": ("set", "unset"),
    "readPoint": ("id",),
    "bizLocation": ("id",),
    "bizTransaction": ("type", "bizTransaction"),
    "source": ("type", "source"),
    "destination": ("type", "destination"),
    "sensorElement": ("sensorMetadata", "sensorReport"),
    "sensorMetadata": _METADATA,
    "sensorReport": _REPORT,
    "ilmd": (),
}
_BARE: Final = {
    (None, "bizStep"): "https://ref.gs1.org/cbv/BizStep-",
    (None, "disposition"): "https://ref.gs1.org/cbv/Disp-",
    ("persistentDisposition", "set"): "https://ref.gs1.org/cbv/Disp-",
    ("persistentDisposition", "unset"): "https://ref.gs1.org/cbv/Disp-",
    ("bizTransaction", "type"): "https://ref.gs1.org/cbv/BTT-",
    ("source", "type"): "https://ref.gs1.org/cbv/SDT-",
    ("destination", "type"): "https://ref.gs1.org/cbv/SDT-",
    ("sensorReport", "type"): "https://gs1.org/voc/",
    ("sensorReport", "exception"): "https://gs1.org/voc/",
    ("sensorReport", "component"): "https://ref.gs1.org/cbv/Comp-",
}
"""What a bare word of a vocabulary stands for, by the element and the field that it is in."""
_OLD: Final = {
    "urn:epcglobal:cbv:bizstep:": "https://ref.gs1.org/cbv/BizStep-",
    "urn:epcglobal:cbv:disp:": "https://ref.gs1.org/cbv/Disp-",
    "urn:epcglobal:cbv:btt:": "https://ref.gs1.org/cbv/BTT-",
    "urn:epcglobal:cbv:sdt:": "https://ref.gs1.org/cbv/SDT-",
    "urn:epcglobal:cbv:er:": "https://ref.gs1.org/cbv/ER-",
}
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


def event_hash(event: Mapping[str, Json], context: Mapping[str, str] | None = None) -> str:
    """The id of an EPCIS event in its JSON form; `context` gives the namespaces of its extensions.

    Raises:
        ValueError: it has no type, one of its times is none, or a prefix of an extension is unknown.
    """
    digest = hashlib.sha256(pre_hash(event, context).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def pre_hash(event: Mapping[str, Json], context: Mapping[str, str] | None = None) -> str:
    """What is hashed. Raises as `event_hash`."""
    kind = event.get("type")
    if not isinstance(kind, str):
        raise ValueError(f"type = {kind!r}: must be the type of an EPCIS event")  # noqa: TRY004  # one error for all faults of an event
    return f"eventType={kind}" + _Writer({**VOCABULARIES, **(context or {})}).element(event, None, _EVENT)


class _Writer:
    """Writes fields of one event in their canonical form."""

    def __init__(self, context: Mapping[str, str]) -> None:
        self._context = context

    def element(self, item: Mapping[str, Json], name: str | None, order: Sequence[str]) -> str:
        """The fields of an element in their order, then its extensions; `name` is None for the event itself."""
        ordered = [self._field(name, key, item[key]) for key in order if item.get(key) is not None]
        others = [key for key in item if key not in order and key not in _LEFT_OUT and not key.startswith("@xmlns")]
        return "".join(ordered) + self._extensions({key: item[key] for key in others})

    def _field(self, element: str | None, key: str, value: Json) -> str:
        if key in _EPC_LISTS:
            return _listed(key, [f"epc={self._value(None, 'epc', each)}" for each in _items(value)])
        if key in _QUANTITY_LISTS:
            return _listed(key, list(self._elements("quantityElement", value, shown="quantityElement")))
        if key in _TYPED_LISTS:
            return _listed(key, list(self._elements(_TYPED_LISTS[key], value, shown="")))
        if key == "sensorElementList":
            return _listed(key, list(self._elements("sensorElement", value, shown="sensorElement")))
        if key == "sensorReport":
            return "".join(sorted(self._elements("sensorReport", value, shown="sensorReport")))
        if isinstance(value, Mapping):
            return "".join(self._elements(key, value, shown=key))
        return "".join(sorted(f"{key}={self._value(element, key, each)}" for each in _items(value)))

    def _elements(self, name: str, value: Json, *, shown: str) -> Iterator[str]:
        for item in _items(value):
            if not isinstance(item, Mapping):
                raise ValueError(f"{name} = {item!r}: must be an object")  # noqa: TRY004  # one error for all faults of an event
            written = self.element(item, name, _ORDERS.get(name, ()))
            if written:
                yield shown + written

    def _extensions(self, items: Mapping[str, Json]) -> str:
        return "".join(sorted(part for key, value in items.items() for part in self._extension(key, value)))

    def _extension(self, key: str, value: Json) -> Iterator[str]:
        name = self._full_name(key)
        written = []
        for item in _items(value):
            if isinstance(item, Mapping):
                text = f"={self._value(None, '', item['#text'])}" if "#text" in item else ""
                nested = {each: item[each] for each in item if each not in _LEFT_OUT and not each.startswith("@xmlns")}
                written.append(name + text + self._extensions(nested))
            elif item is not None:
                written.append(f"{name}={self._value(None, '', item)}")
        yield from sorted(written)

    def _full_name(self, key: str) -> str:
        prefix, colon, rest = key.partition(":")
        if not colon:
            return key
        if prefix not in self._context:
            raise ValueError(f"{key}: the context names no prefix {prefix!r}")
        return f"{{{self._context[prefix]}}}{rest}"

    def _value(self, element: str | None, key: str, value: Json) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            return _number(str(value))
        text = value.strip()
        if key in _TIMES:
            return _time(text)
        bare = _BARE.get((element, key))
        if bare is not None and _WORD.fullmatch(text):
            return bare + text
        if _NUMBER.fullmatch(text):
            return _number(text)
        for old, new in _OLD.items():
            if text.startswith(old):
                return new + text[len(old) :]
        prefix, colon, rest = text.partition(":")
        if colon and prefix in self._context and not rest.startswith("//"):
            return self._context[prefix] + rest
        return canonical(text)


def _items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _listed(name: str, written: list[str]) -> str:
    return name + "".join(sorted(written)) if written else ""


def _number(text: str) -> str:
    plain = format(Decimal(text), "f")
    whole, point, rest = plain.partition(".")
    rest = rest.rstrip("0") if point else ""
    return f"{whole}.{rest}" if rest else ("0" if whole == "-0" else whole)


def _time(text: str) -> str:
    """UTC, rounded to milliseconds, half of one upwards."""
    moment, fraction = _whole_seconds(text)
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise ValueError(f"{text!r}: must be a time as in 2026-09-21T22:13:20.125+08:00") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r}: a time needs its offset from UTC")
    milliseconds = int(fraction[:3].ljust(3, "0")) + (fraction[3:4] >= "5")
    at_ms = int(parsed.astimezone(UTC).timestamp()) * 1000 + milliseconds
    shown = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


_FRACTION: Final = re.compile(r"(.*T[0-9:]{8})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)


def _whole_seconds(text: str) -> tuple[str, str]:
    """The time without the fraction of its second, and the digits of that fraction."""
    match = _FRACTION.fullmatch(text)
    return (text, "") if match is None else (match[1] + (match[3] or ""), match[2] or "")
