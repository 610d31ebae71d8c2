from gateway.contract.quantities import PHASES, UNITS
from readers.quantities import Quantity


def test_every_quantity_has_its_one_unit() -> None:
    assert set(UNITS) == {quantity.value for quantity in Quantity}
    assert UNITS["active_power"] == "W"
    assert UNITS["active_energy_import"] == "Wh"


def test_phases_are_those_of_the_readings() -> None:
    assert PHASES == ("a", "b", "c", "n")
