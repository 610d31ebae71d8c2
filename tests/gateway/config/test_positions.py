from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.positions import Path, Positions

TEXT = '''# a comment with [brackets] and "quotes"
title = "x"  # line 2
[site]
name = 'a#b'
"quoted key" = 1
nested.deep.key = 2

[[reader]]
name = "a"
text = """
[not.a.table]
x = 1 \\""" still ""text"""
after = 1
points = { 1 = "p", 2 = "q" }
many = [
  1,   # one
  [2, 3],
  { k = "v" },
]
day = 1979-05-27 07:32:00
last = 0x1F
[reader.settings]
power = 1.5
[[reader]]
name = "b"
  [[reader.meter]]
  address = "1"
  [[reader.meter]]
  address = "2"
[reader.line]
baud = 9600
literal = \'\'\'
[x]\'\'\'
end = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("site",), 3),
        (("site", "name"), 4),
        (("site", "quoted key"), 5),
        (("site", "nested", "deep", "key"), 6),
        (("reader", 0), 8),
        (("reader",), 8),
        (("reader", 0, "name"), 9),
        (("reader", 0, "text"), 10),
        (("reader", 0, "after"), 13),
        (("reader", 0, "points", "2"), 14),
        (("reader", 0, "many", 0), 16),
        (("reader", 0, "many", 1, 1), 17),
        (("reader", 0, "many", 2, "k"), 18),
        (("reader", 0, "day"), 20),
        (("reader", 0, "last"), 21),
        (("reader", 0, "settings", "power"), 23),
        (("reader", 0, "settings", "absent"), 22),
        (("reader", 1, "name"), 25),
        (("reader", 1, "meter", 0, "address"), 27),
        (("reader", 1, "meter", 1, "address"), 29),
        (("reader", 1, "line", "baud"), 31),
        (("reader", 1, "line", "end"), 34),
        (("absent", "key"), None),
    ],
)
def test_line_of_a_key(path: Path, line: int | None) -> None:
    tomllib.loads(TEXT)
    assert Positions(TEXT).line_of(path) == line


@given(st.text(alphabet="[]{}=\"'#,.\\ab1 \n-_", max_size=60))
def test_any_text_that_is_toml_is_scanned(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    Positions(text)
