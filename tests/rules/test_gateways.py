from __future__ import annotations

from rules.gateways import GatewayState, counted_us
from rules.presence.tracker import Tracker
from rules.sequencer import Due, Sequencer
from rules.state import State
from tests.rules.play import site, us

S = 1_000_000


def gateway(name: str, *watched: str, from_s: float = 0.0, to_s: float = 10.0) -> GatewayState:
    """One that has watched these since `from_s`, and lived since then."""
    state = State()
    found = GatewayState(name, Tracker(site(), name, state), Sequencer(name, 0, state))
    found.tracker.watched.advance(us(from_s), is_broken=False)
    found.tracker.watched.all_now(watched)
    at_s = from_s
    while at_s < to_s:
        at_s = min(at_s + 1.0, to_s)
        found.tracker.watched.advance(us(at_s), is_broken=False)
    return found


def test_the_time_of_a_read_point_is_that_of_the_gateway_that_watches_it() -> None:
    gateways = {each.name: each for each in (gateway("one", "p"), gateway("two", "q", from_s=4.0))}
    assert counted_us(gateways, "one", "p", us(10.0)) == 10 * S
    assert counted_us(gateways, "one", "p", us(7.5)) == 7_500_000
    assert counted_us(gateways, "one", "q", us(10.0)) == 6 * S
    assert counted_us(gateways, "two", "p", us(8.0)) == 8 * S


def test_time_alive_is_that_of_the_gateway_itself() -> None:
    gateways = {each.name: each for each in (gateway("one"), gateway("two", from_s=4.0))}
    assert counted_us(gateways, "one", "", us(10.0)) == 10 * S
    assert counted_us(gateways, "two", "", us(10.0)) == 6 * S


def test_what_nobody_watches_has_no_time() -> None:
    gateways = {each.name: each for each in (gateway("one", "p"), gateway("two", "q"))}
    assert counted_us(gateways, "one", "r", us(10.0)) == 0
    assert counted_us(gateways, "one", "p+q", us(10.0)) == 0  # no gateway watches both


def test_ones_own_time_goes_before_that_of_another() -> None:
    gateways = {each.name: each for each in (gateway("one", "p", from_s=4.0), gateway("two", "p"))}
    assert counted_us(gateways, "one", "p", us(10.0)) == 6 * S
    assert counted_us(gateways, "two", "p", us(10.0)) == 10 * S


def test_the_time_of_a_gateway_that_lags_ends_at_its_clock() -> None:
    gateways = {each.name: each for each in (gateway("one"), gateway("two", "q", to_s=6.0))}
    assert counted_us(gateways, "one", "q", us(10.0)) == 6 * S


def test_timers_move_with_a_clock_that_was_set_back() -> None:
    one = gateway("one")
    one.wake(us(20.0), 0, "key")
    one.sequencer.wake(us(21.0), 1, "key")
    one.set_back(5 * S)
    assert one.timers == [(us(15.0), 0, "key")]
    one.sequencer.advance(us(16.0))
    assert one.sequencer.take() == Due(us(16.0), 1, "key")


def test_what_counts_for_a_prompt_rule() -> None:
    one = gateway("one", "p", from_s=4.0)
    one.tracker.watched.state("reader-1", [], is_offline=True)
    assert one.passed_us("read", "p") == 6 * S
    assert one.passed_us("signal", "reader-1") == 6 * S
    assert one.passed_us("read", "q") == 0
    assert (one.is_silenced("signal", "reader-1"), one.is_silenced("status", "reader-1")) == (True, False)
    assert one.clock_us == us(10.0)
