"""What a meter says of its own objects: the list of them, the columns of its load profile, and the profile's rows.

    object list:      array of { class, version, logical name, access rights }
    capture objects:  array of { class, logical name, attribute, index within the attribute }
    buffer:           array of { a value for each column }; null stands for what follows from the row before

Source: DLMS UA Blue Book Ed. 12.2, sections 4.4.4 (Association LN), 4.3.6 (Profile generic).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.codecs.dlms_data import Structure, Value
from readers.codecs.dlms_values import meter_time
from readers.errors import FrameError
from readers.obis import ObisCode

MOST_OBJECTS: Final = 4096
MOST_COLUMNS: Final = 64
_NAME_BYTES: Final = 6
_US: Final = 1_000_000


class Class(IntEnum):
    """The interface classes that are read here."""

    DATA = 1
    REGISTER = 3
    EXTENDED_REGISTER = 4
    DEMAND_REGISTER = 5
    PROFILE_GENERIC = 7
    CLOCK = 8
    ASSOCIATION_LN = 15
    DISCONNECT_CONTROL = 70


@dataclass(frozen=True, slots=True)
class CosemObject:
    """One object of a meter."""

    class_id: int
    obis: ObisCode


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a profile; `index` 0 is the whole attribute."""

    class_id: int
    obis: ObisCode
    attribute: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a profile, with the time at which it was written; values stand in the order of the columns."""

    at_us: int
    values: tuple[Value, ...]


def name_of(value: Value) -> ObisCode:
    """A logical name.

    Raises:
        FrameError: it is none.
    """
    if not isinstance(value, bytes) or len(value) != _NAME_BYTES:
        raise FrameError("logical_name", f"{str(value)[:80]} is no logical name of {_NAME_BYTES} bytes")
    return ObisCode(*value)


def objects_of(value: Value) -> list[CosemObject]:
    """The objects in an object list.

    Raises:
        FrameError: it is none.
    """
    found: list[CosemObject] = []
    for item in _array(value, "object list", MOST_OBJECTS):
        match item:
            case Structure((int(class_id), _, name, *_)):
                found.append(CosemObject(class_id, name_of(name)))
            case _:
                raise FrameError("object_list", f"{str(item)[:80]} is no object")
    return found


def columns_of(value: Value) -> list[Column]:
    """The columns in the capture objects of a profile.

    Raises:
        FrameError: there are none.
    """
    found: list[Column] = []
    for item in _array(value, "capture objects", MOST_COLUMNS):
        match item:
            case Structure((int(class_id), name, int(attribute), int(index), *_)):
                found.append(Column(class_id, name_of(name), attribute, index))
            case _:
                raise FrameError("capture_objects", f"{str(item)[:80]} is no column")
    return found


def rows_of(
    value: Value,
    columns: Sequence[Column],
    *,
    period_s: int,
    utc_offset_min: int,
    is_deviation_inverted: bool = False,
) -> Iterator[Row]:
    """The rows in the buffer of a profile that have a time; null as time is one period after the row before.

    Raises:
        FrameError: it is no buffer of these columns.
    """
    clock = next((n for n, column in enumerate(columns) if column.class_id == Class.CLOCK), None)
    if clock is None:
        raise FrameError("capture_objects", "no column of the profile is a clock")
    at_us: int | None = None
    for item in _array(value, "profile", None):
        if not isinstance(item, Structure) or len(item.values) != len(columns):
            raise FrameError("profile", f"{str(item)[:80]} is no row of {len(columns)} columns")
        told = item.values[clock]
        if told is not None:
            at_us = meter_time(told, utc_offset_min, is_deviation_inverted=is_deviation_inverted).at_us
        elif at_us is not None and period_s > 0:
            at_us += period_s * _US
        else:
            at_us = None
        if at_us is not None:
            yield Row(at_us, item.values)


def _array(value: Value, what: str, most: int | None) -> list[Value]:
    if not isinstance(value, list):
        raise FrameError("array", f"{str(value)[:80]} is no {what}")
    if most is not None and len(value) > most:
        raise FrameError("array", f"a {what} of {len(value)} entries; at most {most}")
    return value
