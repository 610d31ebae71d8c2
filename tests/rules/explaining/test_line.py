from __future__ import annotations

from rules.explaining.line import Line, deeper, written


def test_a_line_says_the_same_to_people_and_programs() -> None:
    line = Line("note", "nothing came", 2, {"count": 0})
    assert line.written() == "  nothing came"
    assert line.as_json() == {"kind": "note", "indent": 2, "text": "nothing came", "count": 0}
    assert Line("note", "x").as_json() == {"kind": "note", "indent": 0, "text": "x"}


def test_lines_stand_below_others() -> None:
    lines = [Line("a", "x"), Line("b", "y", 4)]
    assert list(written(deeper(lines))) == ["  x", "      y"]
    assert list(written(deeper(lines, 1))) == [" x", "     y"]
