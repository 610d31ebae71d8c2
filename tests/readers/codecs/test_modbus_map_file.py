from __future__ import annotations

from decimal import Decimal

import pytest

from readers.codecs.modbus import Function
from readers.codecs.modbus_map import Class, Form, Ratio
from readers.codecs.modbus_map_file import MapError, parse
from readers.codecs.modbus_values import Order, ValueType
from readers.quantities import Phase, Quantity

D = Decimal
HEAD = 'name = "Ours"\nsource = "us"\naddress_base = 0\n'
FREQUENCY = '{ quantity = "frequency", address = 5, scale = 0.01 },\n'


def faults(text: str) -> list[str]:
    with pytest.raises(MapError) as caught:
        parse(text, "our.toml")
    return str(caught.value).splitlines()


def with_values(*lines: str, more: str = "", head: str = HEAD) -> str:
    return head + "values = [\n" + "".join(f"  {line}\n" for line in lines) + "]\n" + more


WHOLE = """
name = "Ours"
source = "us"
address_base = 1
most_registers = 30
gap = 4
forbidden = [[100, 109]]
values = [
  { quantity = "voltage", phase = "a", address = 11, scale = 0.1, absent = ["FFFF"], times = ["pt"] },
  { quantity = "active_power", address = 21, type = "i32", scale = 0.001, unit = "kW", word_order = "little" },
  { quantity = "power_factor", address = 31, type = "f32", form = "four_quadrant", class = "demand" },
  { quantity = "voltage_line", phase = "a", address = 41, function = 4, obis = "1-0:128.7.1" },
]
[defaults]
function = 3
absent = ["largest"]
[resolution]
"1" = 0.001
[ratios]
pt = { address = 51, type = "u32", scale = 0.1 }
[serial]
address = 61
type = "u32"
[clock]
address = 71
form = "YMDhms"
bcd = true
"""


def test_everything_that_a_map_can_say() -> None:
    found = parse(WHOLE, "our.toml")
    voltage, power, factor, line = found.values
    assert (voltage.quantity, voltage.phase, voltage.step, voltage.times) == (
        Quantity.VOLTAGE,
        Phase.A,
        D("0.1"),
        (Ratio.PT,),
    )
    assert voltage.place.span.address == 10
    assert voltage.absent == {b"\xff\xff"}
    assert (power.step, power.place.layout.type, power.place.layout.word_order) == (D(1), ValueType.I32, Order.LITTLE)
    assert power.absent == {b"\x7f\xff\xff\xff"}
    assert (factor.form, factor.resolution, factor.wanted) == (Form.FOUR_QUADRANT, D("0.001"), Class.DEMAND)
    assert (line.place.span.function, str(line.obis)) == (Function.READ_INPUT_REGISTERS, "1-0:128.7.1")
    assert (found.limits.most, found.limits.gap, found.limits.forbidden) == (30, 4, (range(99, 109),))
    assert found.ratios[Ratio.PT].place.span.address == 50
    assert found.ratios[Ratio.PT].ratio([0, 1000]) == D(100)
    assert found.ratios[Ratio.PT].ratio([0, 0]) is None
    assert found.serial is not None
    assert found.serial.span.count == 2
    assert found.clock is not None
    assert (found.clock.span.address, found.clock.span.count, found.clock.is_bcd) == (70, 3, True)


def test_scales_are_exact_and_in_the_unit_of_the_quantity() -> None:
    (energy,) = parse(
        with_values('{ quantity = "active_energy_import", address = 0, type = "u32", scale = 0.01, unit = "kWh" },'),
        "x",
    ).values
    assert str(energy.step) == "10"


@pytest.mark.parametrize("text", [f"a = {'[' * 100_000}", f"a = {'9' * 5_000}1.5e{'9' * 30}", f"a = {'9' * 5_000}"])
def test_what_is_too_deep_or_too_long_is_no_map(text: str) -> None:
    with pytest.raises(MapError, match=r"^m.toml: "):
        parse(text, "m.toml")


def test_text_that_is_no_toml_is_told_with_its_line() -> None:
    (fault,) = faults(HEAD + "values = [ oops ]")
    assert fault.startswith("our.toml: ")
    assert "line 4" in fault


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            '{ quantity = "volts", address = 1 },',
            "values[2].quantity: there is no quantity 'volts' (did you mean voltage?)",
        ),
        ('{ quantity = "xyzzy", address = 1 },', "there is no quantity 'xyzzy'; see readers/quantities.py for all"),
        ('{ quantity = "voltage" },', "values[2].address: field required"),
        (
            '{ quantity = "voltage", phase = "a", address = 70000 },',
            "address: input should be less than or equal to 65536",
        ),
        ('{ quantity = "voltage", phase = "a", address = 1, scale = 0 },', "scale: must not be 0"),
        ('{ quantity = "voltage", phase = "a", address = 1, type = "u24" },', "type: input should be 'u16'"),
        ('{ quantity = "voltage", phase = "a", address = 1, absent = ["XX"] },', "'XX' must be hex bytes"),
        (
            '{ quantity = "voltage", phase = "a", address = 1, absent = ["FF"] },',
            "absent: FF is 1 bytes; the value takes 2",
        ),
        (
            '{ quantity = "voltage", phase = "a", address = 1, unit = "A" },',
            "unit: voltage came in 'A'; it should be in V",
        ),
        (
            '{ quantity = "voltage", phase = "a", address = 1, type = "f32" },',
            "resolution: a float has none of its own",
        ),
        ('{ quantity = "voltage", phase = "a", address = 1, resolution = 0.1 },', "resolution: is for floats"),
        ('{ quantity = "voltage", phase = "a", address = 1, form = "four_quadrant" },', "form: four_quadrant is for"),
        (
            '{ quantity = "voltage", phase = "a", address = 1, obis = "1.8.0" },',
            "obis: OBIS code '1.8.0': must look like",
        ),
        (
            '{ quantity = "voltage_line", phase = "a", address = 1 },',
            "obis: there is no usual code for this voltage_line",
        ),
        (
            '{ quantity = "voltage", phase = "a", address = 1, type = "u64" },',
            "type: takes 4 registers; most_registers allows",
        ),
        ('{ quantity = "voltage", phase = "a", address = 9 },', "address: lies in 8 to 9, which is forbidden"),
        (
            '{ quantity = "voltage", phase = "a", address = 65536 },',
            "is not within 0 to 65535 on the wire; check address_base",
        ),
        ('{ quantity = "frequency", address = 6 },', "frequency is there already, as values[1]"),
        (
            '{ quantity = "voltage", phase = "a", address = 6, obis = "1-0:14.7.0" },',
            "1-0:14.7.0 is that of values[1] already",
        ),
        ('{ quantity = "voltage", phase = "a", address = 4, type = "u32" },', "lies across values["),
        ('{ quantity = "voltage", phase = "a", address = 1, colour = "red" },', "values[2].colour: extra inputs"),
    ],
)
def test_a_fault_is_told_with_its_line_and_entry(line: str, wanted: str) -> None:
    head = HEAD + "most_registers = 3\nforbidden = [[8, 9]]\n"
    found = faults(with_values(FREQUENCY.strip(), "# a comment {", line, head=head))
    assert len(found) == 1
    assert wanted in found[0]
    at = 7 if "lies across" in found[0] and "values[1]:" in found[0] else 9
    assert found[0].startswith((f"our.toml:{at}: ", "our.toml:7: "))
    if "values[2]" in wanted:
        assert found[0].startswith("our.toml:9: ")


def test_entries_as_tables_have_lines_too() -> None:
    first, second = ('[[values]]\nquantity = "frequency"\naddress = 1', '[[values]]\nquantity = "voltage"\nscale = 0')
    text = f"{HEAD}\n{first}\n\n{second}\naddress = 2\n"
    assert faults(text) == ["our.toml:9: values[2].scale: must not be 0"]


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        with_values('{ quantity = "volt", address = -1 },', '{ quantity = "current", address = 1, scale = 0 },')
    )
    assert [each.split(": ")[0] for each in found] == ["our.toml:5", "our.toml:5", "our.toml:6"]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            '[serial]\naddress = 1\n[clock]\naddress = 1\nform = "YMD"\n',
            "our.toml:12: clock.form: must have one letter for each byte",
        ),
        ('[clock]\naddress = 1\nform = "YMDhq-"\n', "clock.form: string should match pattern"),
        ('[clock]\naddress = 65535\nform = "YMDhms"\n', "clock: address: holding registers 65535 to 65537"),
        ("[serial]\naddress = 8\n", "our.toml:8: serial: address: lies in 8 to 9, which is forbidden"),
        ("[ratios.pt]\naddress = 8\n", "ratios.pt: address: lies in 8 to 9"),
        ("[ratios.ct]\naddress = 1\nscale = 0\n", "ratios.ct.scale: input should be greater than 0"),
        ('[resolution]\nV = "x"\n', "resolution.V"),
    ],
)
def test_faults_outside_the_values(more: str, wanted: str) -> None:
    (fault,) = faults(with_values(FREQUENCY.strip(), more=more, head=HEAD + "forbidden = [[8, 9]]\n"))
    assert wanted in fault


def test_a_range_that_ends_before_it_begins() -> None:
    (fault,) = faults(with_values(FREQUENCY.strip(), head=HEAD + "forbidden = [[9, 8]]\n"))
    assert fault == "our.toml:1: forbidden: 9 to 8 ends before it begins"


def test_a_map_without_values() -> None:
    assert faults(HEAD + "values = []\n") == ["our.toml:1: values: there are none; a map needs one at least"]


def test_a_map_must_say_how_its_addresses_count_and_where_it_is_from() -> None:
    found = faults("values = [\n" + FREQUENCY + "]\n")
    assert [each.split(": ")[1] for each in found] == ["name", "source", "address_base"]
