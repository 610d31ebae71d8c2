import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

from readers.tagdata.container_code import ContainerCode, check_digit, container_code

CODES = st.from_regex(r"[A-Z]{3}[UJZ][0-9]{6}", fullmatch=True)


@given(CODES)
def test_the_check_digit_is_that_of_stdnum(code: str) -> None:
    assert str(check_digit(code)) == iso6346.calc_check_digit(code)


@given(CODES, st.integers(0, 9))
def test_a_number_is_taken_when_stdnum_takes_it(code: str, digit: int) -> None:
    text = f"{code}{digit}"
    if iso6346.is_valid(text):
        assert str(container_code(text)) == text
    else:
        with pytest.raises(ValueError, match=f"check digit {digit} is wrong, must be {check_digit(code)}"):
            container_code(text)


def test_a_container_and_its_identity() -> None:
    container = container_code("csqu 305438-3")
    assert container == ContainerCode("CSQ", "U", "305438", 3)
    assert container.uri == "urn:epc:id:bic:CSQU3054383"
    assert str(container_code("RAIU6900114")) == "RAIU6900114"


def test_a_digit_of_zero_may_stand_for_ten() -> None:
    ten = next(
        code for code in (f"CSQU{serial:06d}" for serial in range(100)) if container_code_of(code).remainder_is_ten
    )
    zero = next(
        code
        for code in (f"CSQU{serial:06d}" for serial in range(100))
        if check_digit(code) == 0 and not container_code_of(code).remainder_is_ten
    )
    assert check_digit(ten) == check_digit(zero) == 0


def container_code_of(code: str) -> ContainerCode:
    return container_code(f"{code}{check_digit(code)}")


@pytest.mark.parametrize(
    "text",
    ["", "CSQU305438", "CSQX3054383", "CSQU30543833", "CSQU3054383" + " " * 30 + "x", "CSQU٣٠54383", "ßSQU3054383"],
)
def test_what_has_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="three letters, one of U J Z, and seven digits"):
        container_code(text)


def test_a_check_digit_needs_ten_characters() -> None:
    with pytest.raises(ValueError, match="six digits, as CSQU305438"):
        check_digit("CSQU30543")
