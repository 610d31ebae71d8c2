from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.weighbridge import Decoder, Form, Shown, Unit, encode

VALUES = st.builds(
    lambda number, decimals: Decimal(number).scaleb(-decimals), st.integers(-99_999, 999_999), st.integers(0, 4)
)
SHOWN = st.builds(
    Shown,
    value=VALUES,
    unit=st.sampled_from(Unit),
    is_net=st.booleans(),
    tare=st.just(Decimal(0)),
    is_moving=st.booleans(),
    is_out_of_range=st.booleans(),
    is_not_zeroed=st.booleans(),
    increment=st.sampled_from([1, 2, 5]),
)
FORMS = st.sampled_from([(Form.XK3190, True), (Form.TOLEDO, True), (Form.TOLEDO, False)])


@given(shown=SHOWN, has_checksum=st.booleans())
def test_toledo_output_comes_back_as_it_was(*, shown: Shown, has_checksum: bool) -> None:
    frame = encode(shown, Form.TOLEDO, has_checksum=has_checksum)
    assert Decoder(Form.TOLEDO, has_checksum=has_checksum).feed(frame) == [shown]


@given(VALUES)
def test_values_of_the_xk3190_forms_come_back_with_their_resolution(value: Decimal) -> None:
    for form in (Form.XK3190, Form.XK3190_REVERSED):
        (shown,) = Decoder(form).feed(encode(Shown(value), form))
        assert (shown.value, str(shown.value).lstrip("-")) == (value, str(value).lstrip("-"))


@given(SHOWN, FORMS, st.binary(max_size=30), st.lists(st.integers(1, 9), max_size=20))
def test_after_noise_a_good_frame_is_found_in_any_slicing(
    shown: Shown, how: tuple[Form, bool], noise: bytes, cuts: list[int]
) -> None:
    form, has_checksum = how
    decoder = Decoder(form, has_checksum=has_checksum)
    decoder.feed(noise)
    decoder.gap()
    stream = encode(shown, form, has_checksum=has_checksum)
    found, start = [], 0
    for size in [*cuts, len(stream)]:
        found += decoder.feed(stream[start : start + size])
        start += size
    assert [each.value for each in found] == [shown.value]
    assert not decoder.holds


@given(SHOWN, FORMS, st.integers(0, 16))
def test_a_part_of_a_frame_is_no_weight(shown: Shown, how: tuple[Form, bool], cut: int) -> None:
    form, has_checksum = how
    frame = encode(shown, form, has_checksum=has_checksum)
    decoder = Decoder(form, has_checksum=has_checksum)
    assert decoder.feed(frame[: min(cut, len(frame) - 1)]) + decoder.gap() == []


@given(VALUES, st.integers(1, 10), st.integers(1, 255))
def test_one_wrong_byte_never_makes_another_weight(value: Decimal, at: int, change: int) -> None:
    frame = bytearray(encode(Shown(value), Form.XK3190))
    frame[at] ^= change
    decoder = Decoder(Form.XK3190)
    # two changes that the XOR cannot see need two bytes, so one is always seen; a space for a leading zero is the same
    assert all(shown.value == value for shown in decoder.feed(bytes(frame)) + decoder.gap())


@pytest.mark.parametrize(
    ("shown", "form"),
    [
        (Shown(Decimal(1_000_000)), Form.XK3190),
        (Shown(Decimal("0.00001")), Form.XK3190_REVERSED),
        (Shown(Decimal(1), tare=Decimal("0.5")), Form.TOLEDO),
    ],
)
def test_what_does_not_fit_is_refused(shown: Shown, form: Form) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(shown, form)


def test_leading_zeros_may_be_spaces() -> None:
    assert Decoder(Form.XK3190_REVERSED).feed(b"=03     0")[0].value == Decimal(30)


@pytest.mark.parametrize(("frame", "reason"), [(b"=22222220", "digits"), (b"=54321.00", "point")])
def test_more_digits_than_the_reversed_form_has_are_no_weight(frame: bytes, reason: str) -> None:
    decoder = Decoder(Form.XK3190_REVERSED)

    assert decoder.feed(frame) == []
    assert decoder.take_rejects()[reason] == 1
