from __future__ import annotations

from pathlib import Path

import pytest

from rules.assets import MOST_TEXT, Asset, AssetsError, parse, read


def test_a_list_of_tags() -> None:
    text = '\ufeffEPC, Name ,kind\n3034 0000 000a,"Box 4, blue",container\n\n3034000B,Truck 7,\n'
    assert parse(text) == {
        "30340000000A": Asset("30340000000A", "Box 4, blue", "container"),
        "3034000B": Asset("3034000B", "Truck 7", ""),
    }


def test_the_kind_may_be_left_out() -> None:
    assert parse("name,epc\nTruck 7,3034\n") == {"3034": Asset("3034", "Truck 7", "")}


def test_all_faults_at_once_each_with_its_line() -> None:
    text = "epc,name,kind\n30,short,\nXYZ0,no hex,\n3034,one,\n3034,two,\n3035,,\n"
    text += f"3036,{'n' * (MOST_TEXT + 1)},\n3037,a\x07b,\n"
    with pytest.raises(AssetsError) as caught:
        parse(text, "tags.csv")
    assert [fault.split(": ")[1] for fault in caught.value.faults] == [f"line {n}" for n in (2, 3, 5, 6, 7, 8)]
    assert "listed twice, as 'one' too" in caught.value.faults[2]
    assert str(caught.value).startswith("tags.csv: line 2: epc = '30': must be hex")


@pytest.mark.parametrize(
    ("text", "says"), [("", "line 1: empty: no epc, name"), ("a,b\n", "line 1: a, b: no epc, name")]
)
def test_a_file_without_the_columns(text: str, says: str) -> None:
    with pytest.raises(AssetsError, match=says):
        parse(text)


def test_broken_quoting() -> None:
    with pytest.raises(AssetsError, match="line 2: is no CSV"):
        parse('epc,name\n3034,"open\n')


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "assets.csv"
    path.write_text("epc,name,kind\n3034,集装箱,container\n", encoding="utf-8")
    assert read(path)["3034"].name == "集装箱"
    path.write_bytes(b"epc,name,kind\n3034,\xff,\n")
    with pytest.raises(AssetsError, match="byte 19 is no UTF-8"):
        read(path)
