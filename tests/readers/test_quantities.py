from readers.quantities import UNITS, Quantity


def test_every_quantity_has_its_one_unit() -> None:
    assert set(UNITS) == set(Quantity)
    assert Quantity.ACTIVE_ENERGY_IMPORT.unit == "Wh"
    assert Quantity.ACTIVE_POWER.unit == "W"


def test_energy_says_its_direction() -> None:
    energies = [quantity for quantity in Quantity if quantity.unit in ("Wh", "varh")]
    assert energies
    assert all(quantity.endswith(("_import", "_export", "_combined")) for quantity in energies)
