import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.digital_link import element_string, link, parse_element_string, parse_link, path_and_query
from readers.tagdata.gs1_keys import KEYS, Elements
from tests.support.tag_identities import HOSTS, key_elements

SGTIN: Elements = (("01", "09506000134352"), ("21", "32a/b"))


@given(st.sampled_from(sorted(KEYS)).flatmap(key_elements), HOSTS)
def test_a_link_is_read_again(elements: Elements, host: str) -> None:
    assert parse_link(link(elements, host)) == (host, elements)


def test_qualifiers_go_into_the_path_in_order_and_the_rest_into_the_query() -> None:
    elements = (*SGTIN, ("17", "270131"), ("10", "A&B"))
    assert path_and_query(elements) == "/01/09506000134352/10/A%26B/21/32a%2Fb?17=270131"
    assert element_string(elements) == "(01)09506000134352(21)32a/b(17)270131(10)A&B"
    assert parse_element_string(element_string(elements)) == elements
    assert dict(parse_link(link(elements))[1]) == dict(elements)


def test_the_key_comes_first_wherever_it_stands() -> None:
    assert parse_element_string("(21)1(01)09506000134352") == (("01", "09506000134352"), ("21", "1"))


def test_a_value_may_hold_parentheses() -> None:
    assert parse_element_string("(01)09506000134352(21)a(5)b(9999)") == (
        ("01", "09506000134352"),
        ("21", "a(5)b(9999)"),
    )


def test_a_link_may_have_a_stem_and_parameters_of_its_own() -> None:
    found = parse_link("http://shop.example:8080/some/stem/01/09506000134352/21/x/?linkType=gs1:pip&17=270131")
    assert found == ("shop.example", (("01", "09506000134352"), ("21", "x"), ("17", "270131")))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "is no Digital Link"),
        ("ftp://id.gs1.org/01/09506000134352", "is no Digital Link"),
        ("https:///01/09506000134352", "is no Digital Link"),
        ("https://id.gs1.org/01/" + "0" * 500, "is no Digital Link"),
        ("https://id.gs1.org/", "no key in the path"),
        ("https://id.gs1.org/01", "no key in the path"),
        ("https://id.gs1.org/01/09506000134352/21", "no key in the path"),
        ("https://id.gs1.org/01/09506000134352/77/1", r"\(77\) is no Application Identifier"),
        ("https://id.gs1.org/01/09506000134352/21/1?21=2", r"\(21\) stands twice"),
        ("https://id.gs1.org/01/09506000134352/21/1?17=", r"\(17\) has no value"),
        ("https://[::1/01/09506000134352", "is no Digital Link|Invalid IPv6 URL"),
    ],
)
def test_what_is_no_link_of_an_epc_is_refused(uri: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_link(uri)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no element string"),
        ("01)09506000134352", "is no element string"),
        ("x(01)09506000134352", "is no element string"),
        ("(01)" + "0" * 500, "is no element string"),
        ("(17)270131", r"\(17\) is no key of an EPC"),
        ("(01)09506000134352(21)", r"\(21\) has no value"),
    ],
)
def test_what_is_no_element_string_of_an_epc_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_element_string(text)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_element_string, lambda each: parse_link("https://" + each)):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017  # either outcome is right, another exception is not
