from readers.quantities import UNITS, Quantity


def test_every_quantity_has_its_one_unit() -> None:
    assert set(UNITS) == set(Quantity)
    assert Quantity.ACTIVE_ENERGY_IMPORT.unit == "Wh"
    assert Quantity.ACTIVE_POWER.unit == "W"


def test_energy_says_its_direction() -> None:
    thermal = {Quantity.HEAT_ENERGY, Quantity.COOLING_ENERGY}  # flows one way
    energies = {quantity for quantity in Quantity if quantity.unit in ("Wh", "varh", "VAh")} - thermal
    assert energies
    quadrants = tuple(f"_q{number}" for number in range(1, 5))
    assert all(quantity.endswith(("_import", "_export", "_combined", *quadrants)) for quantity in energies)
