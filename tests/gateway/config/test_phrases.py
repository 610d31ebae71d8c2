import time

import pytest

from gateway.config.phrases import SECRET, clean, nearest, one_of, show


@pytest.mark.parametrize("key", ["password", "mqtt_password", "tokens", "api-key", "apikey", "client_secret", "Passwd"])
def test_key_of_a_secret(key: str) -> None:
    assert SECRET.search(key)


@pytest.mark.parametrize("key", ["key_file", "key", "passage", "tokenizer", "secretary", "bypass_s"])
def test_key_that_only_looks_like_a_secret(key: str) -> None:
    assert not SECRET.search(key)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (45.0, "45.0"),
        (1e300, "1e+300"),
        (True, "true"),
        ("ü", '"ü"'),
        ({}, "{}"),
        ({"password": "x"}, "{...}"),
        ([1, "a"], '[1, "a"]'),
        ("x" * 100, '"' + "x" * 59 + "..."),
        ("http://me:secret@host/", '"***@host/"'),
        ("me:se/cret@host", '"***@host"'),
        ("\u202e", '"?"'),
    ],
)
def test_value_as_it_is_shown(value: object, text: str) -> None:
    assert show(value) == text


def test_names_to_choose_from() -> None:
    assert one_of("a", ["b", "c"]) == "must be b or c"
    assert one_of("bb", ["b", "c", "bbb"]) == 'must be one of b, c, bbb (did you mean "bbb"?)'
    assert nearest("x", []) == ""


def test_clean_text_is_printable() -> None:
    assert clean("a\x1b[2Jb\n") == "a?[2Jb?"


def test_a_long_value_is_shown_as_quickly_as_a_short_one() -> None:
    begun_s = time.thread_time()
    assert show("A" * (1 << 20)) == '"' + "A" * 59 + "..."
    assert show("u:" + "p" * (1 << 20) + "@host") == '"***@host"'
    assert time.thread_time() - begun_s < 5.0
