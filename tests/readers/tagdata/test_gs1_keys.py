import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from readers.tagdata.bits import TagDataError
from readers.tagdata.gs1_keys import KEY_OF_AI, KEYS, check_digit, parts_of, verify
from tests.support.tag_identities import key_elements


@given(st.text("0123456789", min_size=1, max_size=17))
def test_the_check_digit_is_that_of_stdnum(digits: str) -> None:
    assert check_digit(digits) == ean.calc_check_digit(digits)


@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data())
def test_parts_make_elements_and_elements_parts(kind: str, data: st.DataObject) -> None:
    elements = data.draw(key_elements(kind))
    parts = parts_of(kind, elements, 9)
    assert KEYS[kind].elements(parts) == elements
    assert len(parts) == len(KEYS[kind].names)
    assert KEY_OF_AI[elements[0][0]] == kind


def test_a_location_without_extension_has_none_in_its_elements() -> None:
    assert KEYS["sgln"].elements(("9521141", "12345", "0")) == (("414", "9521141123454"),)
    assert parts_of("sgln", (("414", "9521141123454"),), 7) == ("9521141", "12345", "0")


def test_wrong_check_digits_are_named() -> None:
    verify("01", "09506000134352")
    verify("21", "x")
    with pytest.raises(TagDataError, match=r"\(01\)09506000134353: check digit 3 is wrong, must be 2"):
        verify("01", "09506000134353")
    with pytest.raises(TagDataError, match="must begin with 14 digits"):
        verify("8003", "0950600013435")


@pytest.mark.parametrize(
    ("kind", "elements", "size", "why"),
    [
        ("sgtin", (("01", "09506000134352"), ("21", "1")), 5, "6 to 12 digits"),
        ("sgtin", (("01", "09506000134352"),), 7, r"\(21\) is missing"),
        ("sgtin", (("01", "09506000134352"), ("21", "1"), ("10", "A")), 7, r"no room for \(10\).*sgtin\+"),
        ("grai", (("8003", "99521141123454x"),), 7, "check digit"),
        ("grai", (("8003", "19521141123451x"),), 7, "is written otherwise"),
        ("giai", (("8004", "95211x"),), 6, "company prefix"),
        ("sgln", (("414", "9521141123454"), ("254", "0")), 7, "is written otherwise"),
    ],
)
def test_elements_that_make_no_epc_are_refused(
    kind: str, elements: tuple[tuple[str, str], ...], size: int, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        parts_of(kind, elements, size)
