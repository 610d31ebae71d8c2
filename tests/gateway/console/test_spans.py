from gateway.console.spans import SPANS_MOST, device_day
from gateway.history.states import DeviceState, DeviceStates

FROM, TO = 1_000, 2_000


def told(*states: tuple[int, str | None, str | None], more: bool = False) -> DeviceStates:
    made = [DeviceState(at_us, "gate-1", "llrp", state, reason, 0, None) for at_us, state, reason in states]
    return DeviceStates(made, more, ["a day"])


def spans(found: DeviceStates) -> list[tuple[int, int, str, str]]:
    return [(each.from_us, each.to_us, each.state, each.reason) for each in device_day(found, FROM, TO).spans]


def test_what_nobody_told_is_unknown() -> None:
    assert spans(told()) == [(FROM, TO, "unknown", "")]
    assert spans(told((1_400, "online", "ok"))) == [(FROM, 1_400, "unknown", ""), (1_400, TO, "online", "ok")]


def test_what_it_was_before_counts_and_the_same_again_is_no_change() -> None:
    found = told((100, "offline", "link_failed"), (900, "online", "ok"), (1_200, "online", "ok"), (1_500, None, None))
    assert spans(found) == [(FROM, 1_500, "online", "ok"), (1_500, TO, "unknown", "")]


def test_of_two_states_at_one_time_the_later_holds() -> None:
    found = told((900, "online", "ok"), (1_200, "offline", "x"), (1_200, "online", "ok"), (1_300, "degraded", "y"))
    assert spans(found) == [(FROM, 1_300, "online", "ok"), (1_300, TO, "degraded", "y")]


def test_time_is_summed_and_changes_are_counted() -> None:
    day = device_day(told((1_200, "online", "ok"), (1_500, "offline", "x"), (1_600, "offline", "y")), FROM, TO)
    assert day.lasted_us == {"unknown": 200, "online": 300, "offline": 500}
    assert day.changes == 1
    assert day.damaged == ["a day"]


def test_the_newest_of_too_many_are_shown_and_all_are_summed() -> None:
    states = [(1_000 + number, ("online", "offline")[number % 2], "x") for number in range(SPANS_MOST + 10)]
    day = device_day(told(*states, more=True), FROM, 10_000)
    assert (len(day.spans), day.left_out, day.more) == (SPANS_MOST, 10, True)
    assert sum(day.lasted_us.values()) == 9_000
    assert day.spans[-1].to_us == 10_000
