import pytest

from readers.units import Unit, checked


def test_antennas_of_a_unit_are_ports_of_the_line() -> None:
    unit = Unit(address=2, antennas=(1, 3), first_port=5)
    assert unit.ports() == (5, 7)
    assert unit.port_of(3) == 7
    checked([Unit(address=1, antennas=(1, 2, 3, 4)), unit])


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([Unit(address=1), Unit(address=1, first_port=2)], "address 1 is given to two readers"),
        ([Unit(address=1), Unit(address=2)], "antenna port 1 belongs to address 1 and to address 2"),
        ([Unit(address=1, antennas=(0,))], "antenna 0 of address 1"),
        ([Unit(address=1, antennas=(2,), first_port=255)], "would be port 256"),
    ],
)
def test_units_that_cannot_share_a_line(units: list[Unit], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(units)
