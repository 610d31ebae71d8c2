import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.access.limits import (
    ADDRESS_BURST,
    ADDRESS_REFILL_S,
    NAME_BURST,
    NAME_REFILL_S,
    Buckets,
    LoginLimits,
    network_of,
)
from tests.gateway.console.access.served import Clock


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60))
def test_never_more_than_burst_and_refill(attempts: list[tuple[float, bool]]) -> None:
    clock = Clock()
    buckets = Buckets(3, 10.0, clock)
    began_s, taken = clock(), 0
    for pause_s, _ in attempts:
        clock.now_s += pause_s
        if buckets.wait_s("a") <= 0:
            buckets.change("a", -1)
            taken += 1
    assert taken <= 3 + (clock() - began_s) / 10.0 + 1e-6


def test_the_wait_that_is_told_is_enough() -> None:
    clock = Clock()
    buckets = Buckets(2, 7.5, clock)
    buckets.change("a", -1)
    clock.now_s += 3
    buckets.change("a", -1)
    wait_s = buckets.wait_s("a")
    assert 0 < wait_s <= 7.5
    clock.now_s += wait_s
    assert buckets.wait_s("a") == pytest.approx(0, abs=1e-6)


def test_memory_is_bounded_and_nobody_pushes_others_out() -> None:
    clock = Clock()
    buckets = Buckets(1, 1e9, clock, slots=64)
    buckets.change("anna", -1)
    for number in range(10_000):
        buckets.change(f"guess-{number}", -1)
    assert len(buckets._levels) <= 64
    assert buckets.wait_s("anna") > 0


def test_full_buckets_take_no_memory() -> None:
    buckets = Buckets(3, 1.0, Clock())
    buckets.change("a", -1)
    buckets.change("a", 1)
    assert buckets._levels == {}


def test_one_name_is_guarded_against_many_addresses() -> None:
    clock = Clock()
    limits = LoginLimits(clock)
    waits = [limits.begin(f"10.0.0.{n}", "anna") for n in range(NAME_BURST + 1)]
    assert waits[:-1] == [0.0] * NAME_BURST
    assert 0 < waits[-1] <= NAME_REFILL_S
    assert limits.begin("10.0.1.1", "ben") == 0


def test_one_address_is_limited_over_all_names() -> None:
    clock = Clock()
    limits = LoginLimits(clock)
    waits = [limits.begin("10.0.0.1", f"user-{n}") for n in range(ADDRESS_BURST + 1)]
    assert waits[:-1] == [0.0] * ADDRESS_BURST
    assert 0 < waits[-1] <= ADDRESS_REFILL_S
    assert limits.begin("10.0.0.2", "anna") == 0


def test_an_attempt_that_comes_too_early_costs_nothing_more() -> None:
    clock = Clock()
    limits = LoginLimits(clock)
    for number in range(ADDRESS_BURST):
        limits.begin("10.0.0.1", f"user-{number}")
    for _ in range(100):
        assert limits.begin("10.0.0.1", "anna") > 0
    assert limits.begin("10.0.0.2", "anna") == 0
    clock.now_s += ADDRESS_REFILL_S + 0.001
    assert limits.begin("10.0.0.1", "anna") == 0


def test_what_is_forgiven_may_be_tried_again() -> None:
    limits = LoginLimits(Clock())
    for _ in range(ADDRESS_BURST * 5):
        assert limits.begin("10.0.0.1", "anna") == 0
        limits.forgive("10.0.0.1", "anna")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_one_attacker_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
