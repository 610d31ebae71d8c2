from __future__ import annotations

from decimal import Decimal

import pytest

from readers.codecs.dlt645 import Frame
from readers.errors import FrameError
from readers.meters.dlt645.dialects import EDITION_1997, EDITION_2007, Question
from readers.observations import Condition, DeviceInfo, Watching
from readers.quantities import Phase, Quantity
from simulator.meters.dlt645 import Behaviour, Speaks
from tests.readers.meters.dlt645.scenes import A1, A2, by_name, conditions, listen, readings, settings

ENERGY = 0x00010000


def test_2007_asks_by_four_bytes_and_numbers_the_parts() -> None:
    name = bytes.fromhex("00000100")
    assert EDITION_2007.question(A1, ENERGY) == Question(Frame(A1, 0x11, name), name)
    assert EDITION_2007.question(A1, ENERGY, b"\x04") == Question(Frame(A1, 0x11, name + b"\x04"), name)
    assert EDITION_2007.question(A1, ENERGY, part=3) == Question(Frame(A1, 0x12, name + b"\x03"), name, b"\x03")


def test_1997_asks_by_two_bytes_for_what_it_knows() -> None:
    name = bytes.fromhex("1090")
    assert EDITION_1997.question(A1, ENERGY) == Question(Frame(A1, 0x01, name), name)
    assert EDITION_1997.question(A1, ENERGY, part=1) == Question(Frame(A1, 0x02, name), name)
    assert EDITION_1997.question(A1, 0x02800002) is None
    assert EDITION_1997.question(A1, ENERGY, b"\x04") is None


def test_both_decode_into_the_same_quantities() -> None:
    (newer,) = EDITION_2007.decode(ENERGY, bytes.fromhex("26000000"), 480)
    (older,) = EDITION_1997.decode(ENERGY, bytes.fromhex("26000000"), 480)
    assert newer == older
    with pytest.raises(FrameError):
        EDITION_1997.decode(ENERGY, b"\x26", 480)


def test_a_meter_of_1997_is_read_in_its_own_resolution() -> None:
    given = settings([None])
    given = given.model_validate(
        {"meters": [{"name": "m0", "address": A1, "protocol": "1997"}], "read": ["energy", "voltage", "frequency"]}
    )
    heard = listen(50, given, [A1], {A1: Behaviour(speaks=Speaks.DLT645_1997)})
    found = by_name(heard)
    assert found[Quantity.ACTIVE_ENERGY_IMPORT, None, 1] == Decimal(34_560)
    assert found[Quantity.VOLTAGE, Phase.A, None] == Decimal(230)
    assert conditions(heard) == [("register_unsupported", "02800002", True)]
    assert DeviceInfo(serial=A1, source="m0") in heard


@pytest.mark.parametrize("speaks", [Speaks.DLT645_1997, Speaks.DLT645_2007])
def test_the_edition_is_found_by_asking(speaks: Speaks) -> None:
    given = settings([None]).model_validate(
        {
            "meters": [{"name": "m0", "address": A1, "protocol": "auto"}, {"name": "m1", "address": A2}],
            "read": ["energy_export"],
            "backfill_days": 0,
        }
    )
    heard = listen(290, given, [A1, A2], {A1: Behaviour(speaks=speaks)})
    assert {r.value for r in readings(heard, "m0")} == {Decimal(260)}
    assert len(readings(heard, "m0")) >= 4
    states = [o.active for o in heard if isinstance(o, Watching) and o.source == "m0"]
    assert states == ([False, True] if speaks is Speaks.DLT645_1997 else [True])
    assert not [o for o in heard if isinstance(o, Condition) and o.source == "m1"]
