from readers.tagdata.ai_table import FORMATS, LENGTHS


def test_every_identifier_has_the_digits_that_its_first_two_announce() -> None:
    assert all(len(ai) == LENGTHS[ai[:2]] for ai in FORMATS)
    assert {len(ai) for ai in FORMATS} == {2, 3, 4}
    assert (LENGTHS["01"], LENGTHS["25"], LENGTHS["31"]) == (2, 3, 4)


def test_ranges_are_spelled_out() -> None:
    assert FORMATS["3103"] == ("N6",)
    assert "3106" not in FORMATS
    assert FORMATS["703" + "9"] == ("N3", "T5/27")
    assert FORMATS["4332"] == ("N6", "minus")
    assert len(FORMATS) == 532


def test_no_identifier_stands_twice() -> None:
    from readers.tagdata.ai_table import _FORMATS, _spelled

    spelled = [ai for line in _FORMATS.split("\n") for pattern in line.split()[1:] for ai in _spelled(pattern)]
    assert len(spelled) == len(set(spelled)) == len(FORMATS)
