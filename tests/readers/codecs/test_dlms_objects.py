from __future__ import annotations

import pytest

from readers.codecs.dlms_data import Structure, Value, decode
from readers.codecs.dlms_objects import (
    MOST_OBJECTS,
    Class,
    Column,
    CosemObject,
    Row,
    columns_of,
    name_of,
    objects_of,
    rows_of,
)
from readers.errors import FrameError
from readers.obis import ObisCode
from simulator.meters import dlms_axdr as axdr

CLOCK, ENERGY = ObisCode(0, 0, 1, 0, 0), ObisCode(1, 0, 1, 8, 0)
COLUMNS = [Column(Class.CLOCK, CLOCK, 2), Column(Class.DATA, ObisCode(0, 0, 96, 10, 1), 2), Column(3, ENERGY, 2)]
T0_US = 1_577_746_800_000_000  # 2019-12-30T23:00Z


def test_an_object_list_is_read() -> None:
    item = Structure((3, 0, bytes.fromhex("0100010800FF"), Structure(([], []))))
    assert objects_of([item]) == [CosemObject(3, ENERGY)]


def test_capture_objects_are_read() -> None:
    raw = axdr.array(
        [axdr.structure(axdr.uint16(8), axdr.octets(bytes.fromhex("0000010000FF")), axdr.int8(2), axdr.uint16(0))]
    )
    assert columns_of(decode(raw)) == [Column(8, CLOCK, 2)]


@pytest.mark.parametrize(
    "wrong", [None, 5, [5], [Structure((3, 0, b"\x01"))], [Structure(("3", 0, bytes(6)))], [Structure(())]]
)
def test_what_is_none_is_refused(wrong: Value) -> None:
    for read in (objects_of, columns_of):
        with pytest.raises(FrameError):
            read(wrong)


def test_there_are_not_endless_objects() -> None:
    item = Structure((3, 0, bytes(6)))
    with pytest.raises(FrameError, match="4097"):
        objects_of([item] * (MOST_OBJECTS + 1))
    assert name_of(bytes(6)) == ObisCode(0, 0, 0, 0, 0, 0)


def test_a_published_buffer_with_null_for_times() -> None:
    """Of the tests of dlms-cosem, test_parsers.py: four hours, of which only the first says its time."""
    first = "0204 090C07E30C1F0217000000FFC400 1106 06000005ED 0600000654"
    later = "0204 00 1106 06000005ED 0600000654"
    raw = bytes.fromhex("0104" + first + later * 3)
    columns = [*COLUMNS, Column(3, ObisCode(1, 0, 2, 8, 0), 2)]
    rows = list(rows_of(decode(raw), columns, period_s=3600, utc_offset_min=480))
    assert [row.at_us for row in rows] == [1_577_829_600_000_000 + hour * 3_600_000_000 for hour in range(4)]
    assert {row.values[1:] for row in rows} == {(6, 1517, 1620)}


def test_a_row_without_a_time_is_left_out() -> None:
    rows: Value = [Structure((None, 0, 1)), Structure((axdr.date_time(T0_US, 60)[2:], 0, 2)), Structure((None, 0, 3))]
    found = list(rows_of(rows, COLUMNS, period_s=0, utc_offset_min=60))
    assert found == [Row(T0_US, (axdr.date_time(T0_US, 60)[2:], 0, 2))]


@pytest.mark.parametrize(
    ("value", "columns"), [(5, COLUMNS), ([5], COLUMNS), ([Structure((1, 2))], COLUMNS), ([], COLUMNS[1:])]
)
def test_what_is_no_buffer_is_refused(value: Value, columns: list[Column]) -> None:
    with pytest.raises(FrameError):
        list(rows_of(value, columns, period_s=900, utc_offset_min=0))
