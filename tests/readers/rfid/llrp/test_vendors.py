from __future__ import annotations

from readers.rfid.llrp import vendors


def test_names() -> None:
    assert vendors.name(25882) == "Impinj"
    assert vendors.name(161) == "Motorola"
    assert vendors.name(4711) == "manufacturer 4711"


def test_the_link_monitor_of_impinj_is_switched_on() -> None:
    # Custom parameter 38 of vendor 25882: mode 1, three unanswered keepalives.
    expected = bytes.fromhex("03FF 0010 0000651A 00000026 0001 0003")
    assert vendors.extensions(vendors.IMPINJ).configuration == expected


def test_other_makers_are_asked_for_nothing_special() -> None:
    assert vendors.extensions(161) == vendors.Extensions()
