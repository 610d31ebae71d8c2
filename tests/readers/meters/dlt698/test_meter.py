from __future__ import annotations

import pytest

from readers.meters.dlt698.driver import Dlt698Driver
from readers.observations import Condition, Readings, Rejected
from readers.quantities import Quantity
from simulator.meters.dlt698 import Behaviour, Meter, serve
from tests.readers.meters.dlt698.scenes import A1, D, by_name, conditions, listen, readings, settings
from tests.simulator.meters.loads import Steady
from tests.support.talk import talk

MOST = ["energy", "energy_export", "voltage", "current", "power", "frequency"]


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("is_told", [True, False])
def test_how_many_objects_at_once_is_learnt(most: int, is_told: bool) -> None:  # noqa: FBT001 - a parameter
    picky = Behaviour(most_at_once=most, long_list_error=is_told)
    heard = listen(200, settings(read=MOST, poll_s=60), {A1: picky})
    assert by_name(heard) == by_name(listen(14, settings(read=MOST)))
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]
    late = [o for o in heard if isinstance(o, Readings) and o.received_at_us % 60_000_000 < 5_000_000]
    assert len(late) >= 4  # once it is learnt, no time is lost


def test_one_bad_hour_does_not_make_it_ask_for_little_for_ever() -> None:
    picky = Behaviour(most_at_once=1)
    asked: list[int] = []

    def mangle(data: bytes) -> list[bytes]:
        asked.append(data.count(b"\x85\x02"))
        return [data]

    heard = listen(4000, settings(read=MOST, poll_s=600), {A1: picky}, mangle=mangle)
    assert readings(heard)
    assert asked[0] == 0  # an error reply; lists are tried again after an hour


def test_objects_that_a_meter_lacks_are_told_once() -> None:
    heard = listen(200, settings(read=MOST), {A1: Behaviour(lacks=frozenset({0x2001, 0x0020}))})
    assert sorted(conditions(heard)) == [
        ("register_unsupported", "00200200", True),
        ("register_unsupported", "20010200", True),
    ]
    assert Quantity.CURRENT not in {r.quantity for r in readings(heard)}
    assert D("49.98") in {r.value for r in readings(heard)}


def test_an_object_lost_in_a_bad_hour_is_asked_for_again() -> None:
    behaviour = Behaviour(lacks=frozenset({0x200F}))
    times = iter([*[True] * 20, *[False] * 10_000])

    def mangle(data: bytes) -> list[bytes]:
        if not next(times):
            behaviour.lacks = frozenset()
        return [data]

    heard = listen(3700, settings(read=["frequency", "voltage"]), {A1: behaviour}, mangle=mangle)
    assert conditions(heard) == [
        ("register_unsupported", "200F0200", True),
        ("register_unsupported", "200F0200", False),
    ]


def test_a_refusal_for_another_reason_is_told_and_ends() -> None:
    behaviour = Behaviour(denies=frozenset({0x200F}))
    times = iter([*[True] * 5, *[False] * 10_000])

    def mangle(data: bytes) -> list[bytes]:
        if not next(times):
            behaviour.denies = frozenset()
        return [data]

    heard = listen(200, settings(read=["frequency", "voltage"]), {A1: behaviour}, mangle=mangle)
    assert conditions(heard) == [("read_refused", "200F0200", True), ("read_refused", "200F0200", False)]
    details = [o.detail for o in heard if isinstance(o, Condition)]
    assert details[0] == "200F0200 is refused: DAR 3 (denied)"


def test_a_meter_that_ignores_one_object_is_not_silent() -> None:
    heard = listen(400, settings(read=["voltage", "current"]), {A1: Behaviour(ignores=frozenset({0x2001}))})
    assert conditions(heard) == [("register_unsupported", "20010200", True)]
    assert {r.quantity for r in readings(heard)} == {Quantity.VOLTAGE}


def test_values_with_a_mac_are_taken_and_it_is_said_once() -> None:
    heard = listen(100, settings(read=MOST), {A1: Behaviour(signs=True)})
    assert conditions(heard) == [("mac_not_verified", "", True)]
    assert by_name(heard) == by_name(listen(14, settings(read=MOST)))


def test_a_meter_that_encrypts_is_named() -> None:
    heard = listen(100, settings(read=["voltage"]), {A1: Behaviour(encrypts=True)})
    assert conditions(heard) == [("read_refused", "20000200", True)]
    (told,) = [o for o in heard if isinstance(o, Condition)]
    assert "cannot be read without its keys" in told.detail
    assert not readings(heard)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(reports_along=True),
        Behaviour(scrambles=True),
        Behaviour(fragment_bytes=30),
        Behaviour(fragment_bytes=30, scrambles=True, signs=False, reports_along=True),
        Behaviour(block_bytes=40),
        Behaviour(block_bytes=40, fragment_bytes=50),
        Behaviour(preamble=0),
        Behaviour(needs_wake_up=4),
    ],
)
def test_however_a_meter_answers_its_values_are_the_same(behaviour: Behaviour) -> None:
    heard = listen(50, settings(read=MOST), {A1: behaviour})
    assert by_name(heard) == by_name(listen(14, settings(read=MOST)))
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_a_meter_that_lacks_all_is_left_alone() -> None:
    asked: list[bytes] = []

    def mangle(data: bytes) -> list[bytes]:
        asked.append(data)
        return [data]

    heard = listen(300, settings(read=["frequency"]), {A1: Behaviour(lacks=frozenset({0x200F}))}, mangle=mangle)
    assert conditions(heard) == [("register_unsupported", "200F0200", True)]
    assert len(asked) == 1


def test_a_value_of_the_wrong_type_is_a_lost_reading() -> None:
    class Odd(Meter):
        def value(self, oad: bytes, now_us: int) -> bytes | int:
            return b"\x09\x01x" if oad[:2] == b"\x20\x0f" else super().value(oad, now_us)

    meters = {A1: Odd(A1, Steady())}
    driver = Dlt698Driver(settings(read=["frequency", "voltage"]))
    heard = talk(14, driver, lambda port: serve(port, meters))
    (lost,) = [o for o in heard if isinstance(o, Rejected)]
    assert (lost.reason, lost.reads_lost, lost.source) == ("data_type", 1, "m0")
    assert {r.quantity for r in readings(heard)} == {Quantity.VOLTAGE}


def test_a_meter_that_falls_silent_between_lists_is_silent() -> None:
    behaviour = Behaviour()
    count = iter(range(1000))

    def mangle(data: bytes) -> list[bytes]:
        behaviour.silent = next(count) >= 1
        return [data]

    heard = listen(100, settings(read=MOST, poll_s=10, backfill_days=1), {A1: behaviour}, mangle=mangle)
    assert ("meter_silent", "", True) in conditions(heard)
