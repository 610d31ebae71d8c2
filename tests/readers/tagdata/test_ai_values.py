import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.ai_table import FORMATS
from readers.tagdata.ai_values import code_40, read_value, write_code_40, write_value
from readers.tagdata.bits import BitReader, BitWriter, TagDataError
from readers.tagdata.characters import SET_82

DATES = st.dates().map(lambda day: day.strftime("%y%m%d"))
DIGITS = st.text("0123456789", min_size=1, max_size=90)
TEXT = st.text("".join(sorted(SET_82 | {"#"})), min_size=1, max_size=90)
PLAIN = {
    "date": DATES,
    "date_and_minute": st.datetimes().map(lambda at: at.strftime("%y%m%d%H%M")),
    "dates": DATES | st.tuples(DATES, DATES).map("".join),
    "date_and_time": st.tuples(
        st.datetimes().map(lambda at: at.strftime("%y%m%d%H%M%S")), st.sampled_from((6, 8, 10, 12))
    ).map(lambda both: both[0][: both[1]]),
    "country": st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2),
    "flag": st.sampled_from("01"),
    "minus": st.sampled_from(("", "-")),
    "sequence": st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda both: f"{both[0]}/{both[1]}"),
}


def of_code(code: str) -> st.SearchStrategy[str]:
    if code in PLAIN:
        return PLAIN[code]
    if code[0] in "DN":
        return st.text("0123456789", min_size=int(code[1:]), max_size=int(code[1:]))
    most = int(code.partition("/")[2])
    return (DIGITS if code[0] == "V" else TEXT | DIGITS).map(lambda text: text[:most])


VALUES = st.sampled_from(sorted(FORMATS)).flatmap(
    lambda ai: st.tuples(st.just(ai), st.tuples(*map(of_code, FORMATS[ai])).map("".join))
)


def written(ai: str, value: str) -> BitWriter:
    writer = BitWriter()
    write_value(writer, ai, value)
    return writer


def test_there_is_a_value_of_every_code() -> None:
    """One of each, so that no code depends on what is drawn below."""
    samples = {
        "11": "270131",
        "7003": "2701312359",
        "7007": "270101270131",
        "8008": "270131235958",
        "4307": "CN",
        "4321": "1",
        "4330": "001850-",
        "7258": "9/9",
        "20": "07",
        "7241": "07",
        "242": "123456",
        "8004": "95A",
        "421": "528X1",
    }
    assert {code[0] if code[-1].isdigit() else code for ai in samples for code in FORMATS[ai]} == {
        code[0] if code[-1].isdigit() else code for codes in FORMATS.values() for code in codes
    }
    for ai, value in samples.items():
        assert read_value(BitReader(written(ai, value).memory()), ai) == value


@given(VALUES, st.integers(0, 200))
def test_what_is_written_is_read(both: tuple[str, str], cut: int) -> None:
    ai, value = both
    writer = written(ai, value)
    memory = writer.memory()
    if len(memory) > 62:
        return
    reader = BitReader(memory)
    assert read_value(reader, ai) == value
    assert len(memory) * 8 - reader.left == writer.width
    shorter = memory[: cut * 2]
    if len(shorter) * 8 < writer.width:
        with pytest.raises(TagDataError):
            read_value(BitReader(shorter), ai)


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=62).map(lambda data: data[: len(data) // 2 * 2]))
def test_any_bits_are_a_value_or_an_error(ai: str, memory: bytes) -> None:
    try:
        value = read_value(BitReader(memory), ai)
    except TagDataError:
        return
    again = BitReader(written(ai, value).memory())
    assert read_value(again, ai) == value


@pytest.mark.parametrize(
    ("ai", "value", "bits"),
    [
        ("21", "32a/b", "100 00101 0110011 0110010 1100001 0101111 1100010"),  # the serial number of annex E.3
        ("21", "rif981", "011 00110 101011 100010 011111 111101 111100 110101"),  # likewise, of ITIP+
        (
            "253",
            "95211411234545678",
            "1001 0101 0010 0001 0001 0100 0001 0001 0010 0011 0100 0101 0100 000 00100 01011000101110",
        ),
        ("21", "00F", "001 00011 0000 0000 1111"),
        ("21", "00f", "010 00011 0000 0000 1111"),
        ("21", "GHI", "101 00011 0010110100001010"),
        ("8004", "12", "0001 0010 1111"),
        ("8004", "1A-", "0001 1110 011 00010 000000 111110"),
        ("17", "220630", "0010110 0110 11110"),
        ("4330", "001850-", "00000000011100111010 1"),
        ("7007", "260101", "0 0011010 0001 00001"),
        ("8008", "26011514", "00 0011010 0001 01111 01110"),
        ("4307", "CN", "000010 001101"),
        ("7258", "1/2", "0001 0010"),
    ],
)
def test_the_bits_of_a_value(ai: str, value: str, bits: str) -> None:
    plain = bits.replace(" ", "")
    writer = written(ai, value)
    assert f"{int.from_bytes(writer.memory(), 'big'):0{len(writer.memory()) * 8}b}"[: writer.width] == plain


@pytest.mark.parametrize(
    ("ai", "value", "why"),
    [
        ("14", "1", "no Application Identifier that a tag can hold"),
        ("21", "", "has 0 characters where 1 to 20"),
        ("21", "x" * 21, "has 21 characters where 1 to 20"),
        ("21", "é", "'é', which GS1 does not allow"),
        ("8004", "", "has 0 characters where 1 to 30"),
        ("01", "0950600013435", "must have 14 digits"),
        ("01", "095060001343521", "must have 14 digits"),
        ("421", "12", "must have 3 digits"),
        ("30", "123456789", "must have 1 to 8 digits"),
        ("17", "221330", "no date; it must be YYMMDD"),
        ("7003", "2206302", "no time of day"),
        ("8008", "2206302460", "no time of day"),
        ("8008", "22063024605", "no time of day"),
        ("8008", "22063024605900", "hour, minute and second"),
        ("4307", "cn", "two letters"),
        ("4321", "2", "ends in '2'; allowed: '0' or '1'"),
        ("4330", "001850+", r"ends in '\+'; allowed: '' or '-'"),
        ("7258", "0/2", "two digits from 1 to 9"),
    ],
)
def test_values_of_another_form_are_refused(ai: str, value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        written(ai, value)


@pytest.mark.parametrize(
    ("ai", "bits", "why"),
    [
        ("14", "0" * 16, "no Application Identifier"),
        ("01", "1010" + "0" * 60, "A stands where a digit must be"),
        ("20", "1100100" + "0" * 9, "100 has more than 2 digits"),
        ("30", "1001" + "0" * 60, "9 characters, allowed are 1 to 8"),
        ("30", "0" * 16, "0 characters"),
        ("21", "110" + "00001" + "0" * 24, "encoding 6 of a text is reserved"),
        ("21", "100" + "00001" + "0100000" + "0", "characters that GS1 does not allow"),
        ("21", "101" + "00001" + "0" * 24, "0000 is no group"),
        ("21", "101" + "00010" + f"{1600 + 40 * 1 + 1 + 1:016b}" + "0" * 8, "another length than announced"),
        ("8004", "1101" + "0" * 12, "D stands where a digit or the end"),
        ("8004", "1111" + "0" * 12, "0 characters, allowed are 1 to 30"),
        ("17", "1111111" + "0001" + "00001", "1270101 is no date"),
        ("8008", "01" + "0011010000101111" + "11000" + "000000" + "000", "2400 is no time of day"),
        ("4307", "011010" + "0" * 10, "letter of a country"),
        ("7258", "0000" + "0" * 12, "digit from 1 to 9"),
    ],
)
def test_bits_that_are_no_value(ai: str, bits: str, why: str) -> None:
    memory = int(bits, 2).to_bytes(len(bits) // 8, "big")
    with pytest.raises(TagDataError, match=why):
        read_value(BitReader(memory), ai)


def test_urn_code_40_knows_its_fill() -> None:
    writer = BitWriter()
    write_code_40(writer, "A.B:")
    assert code_40(BitReader(writer.memory()), 4) == "A.B:"
    with pytest.raises(TagDataError, match="another length"):
        code_40(BitReader(writer.memory()), 5)
