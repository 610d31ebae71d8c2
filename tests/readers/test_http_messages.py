from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.http_messages import MOST_BODY_BYTES, Answer, encode, parse, paths, request

ANSWERS = st.builds(Answer, st.integers(100, 599), st.binary(max_size=60))


@given(st.lists(ANSWERS, max_size=4), st.binary(max_size=10))
def test_what_is_encoded_is_parsed_wherever_it_stands(answers: list[Answer], before: bytes) -> None:
    buffer, at = bytearray(before + b"".join(map(encode, answers))), len(before)
    for answer in answers:
        found = parse(buffer, at)
        assert found is not None
        assert found[0] == answer
        at += found[1]
    assert at == len(buffer)


@given(ANSWERS, st.data())
def test_a_part_of_an_answer_is_none_yet(answer: Answer, data: st.DataObject) -> None:
    raw = encode(answer)
    assert parse(bytearray(raw[: data.draw(st.integers(1, len(raw) - 1))]), 0) is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x1e6", "delimiter"),
        (b"\x1e20x", "delimiter"),
        (b"\x1e200\n", "delimiter"),
        (b"\x1e200 12345678", "delimiter"),
        (b"\x1e200 4194305\n", "length"),
    ],
)
def test_each_check_has_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        parse(bytearray(raw), 0)
    assert refused.value.reason == reason


def test_an_answer_that_is_too_long_is_refused() -> None:
    with pytest.raises(FrameError, match="4194305 bytes"):
        encode(Answer(200, bytes(MOST_BODY_BYTES + 1)))


def test_questions_name_paths_and_nothing_else() -> None:
    asked = request("/current") + request("/sample?from=1&count=2")
    assert paths(asked) == ["/current", "/sample?from=1&count=2"]
    assert paths(b"") == []
    for path in ("current", "/a b", "/a\nGET /b", "/" + "x" * 2000, "/ä"):
        with pytest.raises(FrameError):
            request(path)
    for data in (b"POST /x\n", b"GET /x"):
        with pytest.raises(FrameError):
            paths(data)
