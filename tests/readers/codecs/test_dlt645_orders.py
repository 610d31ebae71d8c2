from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645 import BROADCAST, Decoder, Frame, Function, encode
from readers.codecs.dlt645_clock import meter_time_us
from readers.codecs.dlt645_orders import (
    ANY,
    DATE,
    TIME,
    Command,
    ControlOrder,
    FreezeAt,
    Key,
    Written,
    control,
    freeze,
    read_control,
    read_time_sync,
    read_write,
    time_sync,
    write,
    write_clock,
)
from readers.errors import FrameError

ADDRESS = "260305510009"
CHINA = 480
SECONDS = st.integers(946_900_800, 4_102_300_800).map(lambda seconds: seconds * 1_000_000)
KEYS = st.builds(Key, st.integers(0, 999_999).map(lambda n: f"{n:06d}"), st.integers(0, 9), st.integers(0, 99_999_999))


def at(text: str) -> int:
    found = meter_time_us(bytes.fromhex(text), CHINA)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("order", "raw"),
    [
        (
            ControlOrder(Command.TRIP, Key("000000"), at("59 59 23 31 12 99"), reserved=1),
            "68 09 00 51 05 03 26 68 1C 10 35 33 33 33 33 33 33 33 4D 34 8C 8C 56 64 45 CC 82 16",
        ),
        (
            ControlOrder(Command.PERMIT_CLOSE, Key("000000"), at("59 59 23 31 12 99"), reserved=1),
            "68 09 00 51 05 03 26 68 1C 10 35 33 33 33 33 33 33 33 4E 34 8C 8C 56 64 45 CC 83 16",
        ),
    ],
)
def test_published_orders_are_built_to_the_byte(order: ControlOrder, raw: str) -> None:
    frame = control(ADDRESS, order, CHINA)
    assert encode(frame) == bytes.fromhex(raw)
    assert read_control(frame.data, CHINA) == order


def test_a_published_order_with_a_password_and_an_operator() -> None:
    raw = bytes.fromhex("68 61 10 01 30 12 15 68 1C 10 35 6A 39 35 34 33 33 33 4E 33 33 33 33 63 45 CC 2D 16")
    order = ControlOrder(Command.PERMIT_CLOSE, Key("020637", operator=1), at("00 00 00 30 12 99"))
    assert encode(control("151230011061", order, CHINA)) == raw


@pytest.mark.parametrize("address", [BROADCAST, "111111111111"])
def test_published_time_syncs_are_built_to_the_byte(address: str) -> None:
    raw = {
        BROADCAST: "68 99 99 99 99 99 99 68 08 06 84 55 43 38 39 4A 4B 16",
        "111111111111": "68 11 11 11 11 11 11 68 08 06 58 73 43 38 39 4A 0D 16",
    }[address]
    (frame,) = Decoder().feed(bytes.fromhex(raw))
    now_us = read_time_sync(frame.data, CHINA)
    assert time_sync(now_us, CHINA, address) == frame


@given(st.builds(ControlOrder, st.sampled_from(Command), KEYS, SECONDS, st.integers(0, 255)))
def test_every_order_comes_back(order: ControlOrder) -> None:
    assert read_control(control(ADDRESS, order, CHINA).data, CHINA) == order


@given(st.binary(max_size=20))
def test_anything_at_all_is_an_order_or_no_frame(data: bytes) -> None:
    try:
        order = read_control(data, CHINA)
    except FrameError:
        return
    if order.expires_at_us is not None:
        assert order.key.password.isdecimal()


def test_an_order_without_an_expiry_can_be_read_but_not_given() -> None:
    data = bytes.fromhex("02 00 00 00 00 00 00 00 1A 00 00 00 00 00 00 00")  # published
    order = read_control(data, CHINA)
    assert (order.command, order.expires_at_us) == (Command.TRIP, None)
    with pytest.raises(FrameError, match="an order must expire"):
        control(ADDRESS, order, CHINA)


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (Key("12345"), "has not 6 decimal digits"),
        (Key("12345x"), "has not 6 decimal digits"),
        (Key("12345６"), "has not 6 decimal digits"),
        (Key("123456", level=10), "password level 10: must be 0 to 9"),
        (Key("123456", operator=100_000_000), "at most 8 digits"),
        (Key("123456", operator=-1), "at most 8 digits"),
    ],
)
def test_an_impossible_key_is_refused_and_the_password_not_told(key: Key, match: str) -> None:
    with pytest.raises(FrameError, match=match) as refusal:
        key.encode()
    assert "12345" not in str(refusal.value)
    assert "12345" not in repr(key)


def test_what_is_no_order_is_refused() -> None:
    good = control(ADDRESS, ControlOrder(Command.TRIP, Key("123456"), at("00 00 00 01 01 30")), CHINA).data
    with pytest.raises(FrameError, match="15 bytes of control: must be 16"):
        read_control(good[:-1], CHINA)
    with pytest.raises(FrameError, match="there is no command 1D"):
        read_control(good[:8] + b"\x1d" + good[9:], CHINA)
    with pytest.raises(FrameError, match="is no BCD"):
        read_control(b"\x02\x0a" + good[2:], CHINA)
    with pytest.raises(FrameError, match="reserved byte 256"):
        control(ADDRESS, ControlOrder(Command.TRIP, Key("123456"), at("00 00 00 01 01 30"), 256), CHINA)
    with pytest.raises(FrameError, match="holds `ss mm hh DD MM YY`"):
        read_time_sync(bytes(6), CHINA)
    with pytest.raises(FrameError, match="holds `ss mm hh DD MM YY`"):
        read_time_sync(bytes.fromhex("15 10 02 11 26"), CHINA)


PARTS = st.builds(
    FreezeAt,
    st.just(ANY) | st.integers(1, 12),
    st.just(ANY) | st.integers(1, 31),
    st.just(ANY) | st.integers(0, 23),
    st.just(ANY) | st.integers(0, 59),
)


@given(PARTS)
def test_every_freeze_comes_back(when: FreezeAt) -> None:
    assert FreezeAt.decode(freeze(when).data) == when


def test_freezes() -> None:
    assert freeze(FreezeAt()) == Frame(BROADCAST, Function.FREEZE, bytes.fromhex("99 99 99 99"))
    assert freeze(FreezeAt(hour=23, minute=45), ADDRESS) == Frame(
        ADDRESS, Function.FREEZE, bytes.fromhex("45 23 99 99")
    )
    with pytest.raises(FrameError, match="24 is no part of a time: must be 0 to 23, or 99 for each"):
        freeze(FreezeAt(hour=24))
    with pytest.raises(FrameError, match="3 bytes of freeze: must be 4"):
        FreezeAt.decode(bytes(3))
    with pytest.raises(FrameError, match="is no BCD"):
        FreezeAt.decode(b"\x0a\x99\x99\x99")
    with pytest.raises(FrameError, match="60 is no part"):
        FreezeAt.decode(b"\x60\x99\x99\x99")


@given(KEYS, st.binary(max_size=20))
def test_what_is_written_comes_back(key: Key, value: bytes) -> None:
    frame = write(ADDRESS, TIME, key, value)
    assert read_write(frame.data) == Written(TIME, key, value)


def test_the_clock_is_written_in_two_requests() -> None:
    date, time = write_clock(ADDRESS, Key("123456", 4, 7), at("51 22 10 05 06 17"), CHINA)
    assert date.data == bytes.fromhex("01 01 00 0404 56 34 12 07 00 00 0001 05 06 17")
    assert time.data == bytes.fromhex("02 01 00 0404 56 34 12 07 00 00 0051 22 10")
    assert read_write(date.data).identifier == DATE
    with pytest.raises(FrameError, match="7 bytes of password and operator: must be 8"):
        read_write(date.data[:11])
