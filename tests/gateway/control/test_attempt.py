from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.control.attempt import ATTEMPT_WITHIN_S, READ_BACK_WITHIN_S, Hand, NoStateError
from gateway.health import Health
from readers.control import Action, Attempt, Controllable, ControlPoint, Fate, Order, Shown
from readers.errors import DeviceRefusedError, LinkError
from readers.ports.memory import run

POINT = ControlPoint("relay", "m-1", (Action.TRIP,), shows=("is_closed",), settles_s=5.0)
ORDER = Order("relay", "m-1", Action.TRIP, 0)
CLOSED, OPEN = Shown(0, {"is_closed": True}), Shown(1, {"is_closed": False})


class Meter:
    """A relay that answers and moves as a test says."""

    def __init__(self, fate: Fate | Exception | None = Fate.ACCEPTED, opens_after_s: float = 0.0) -> None:
        self.fate = fate
        self.opens_after_s = opens_after_s
        self.attempts = 0
        self.looks = 0
        self.fault: Callable[[int], None] = lambda _: None
        self._sent_s = float("inf")

    def control_points(self) -> tuple[ControlPoint, ...]:
        return (POINT,)

    async def observe(self, source: str | None, point: str) -> Shown:
        assert (source, point) == ("m-1", "relay")
        self.looks += 1
        self.fault(self.looks)
        is_open = asyncio.get_running_loop().time() >= self._sent_s + self.opens_after_s
        return OPEN if is_open else CLOSED

    async def attempt(self, order: Order) -> Attempt:
        assert order is ORDER
        self.attempts += 1
        self._sent_s = asyncio.get_running_loop().time()
        if self.fate is None:
            await asyncio.sleep(1e6)
        if isinstance(self.fate, Exception):
            raise self.fate
        assert self.fate is not None
        return Attempt(self.fate, "it says so")

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        assert order is ORDER
        del before
        closed = after.values.get("is_closed")
        return None if closed is None else not closed


def carried_out(meter: Meter | None, before: Shown = CLOSED) -> tuple[str, str, float, str]:
    async def main() -> tuple[str, str, float, str]:
        hand = Hand(POINT, lambda: meter, Health("edge"))
        attempt = await hand.attempt(ORDER)
        verdict = await hand.judge(ORDER, before, attempt)
        return verdict.state, verdict.code, round(asyncio.get_running_loop().time()), verdict.detail

    return run(main())


def test_a_meter_is_controllable() -> None:
    assert isinstance(Meter(), Controllable)


def test_an_effect_is_read_back_as_soon_as_it_shows() -> None:
    meter = Meter(opens_after_s=2.0)
    assert carried_out(meter)[:3] == ("verified", "done", 2)
    assert meter.attempts == 1


@pytest.mark.parametrize("fate", [Fate.ACCEPTED, Fate.UNKNOWN])
def test_an_effect_that_does_not_show_is_a_failure(fate: Fate) -> None:
    meter = Meter(fate, opens_after_s=9.0)
    state, code, after_s, detail = carried_out(meter)
    assert (state, code, after_s) == ("failed", "not_done", 5)
    assert "5 s later it does not show the effect" in detail
    assert meter.attempts == 1


def test_an_effect_without_an_answer_is_verified_all_the_same() -> None:
    state, _, _, detail = carried_out(Meter(Fate.UNKNOWN))
    assert state == "verified"
    assert "no answer came" in detail
    assert "it was so before" not in detail
    assert "it was so before the order" in carried_out(Meter(Fate.UNKNOWN), OPEN)[3]


@pytest.mark.parametrize(
    ("fate", "code"),
    [(Fate.NOT_SENT, "not_sent"), (Fate.REFUSED, "device_refused")],
)
def test_what_was_not_done_is_not_read_back(fate: Fate, code: str) -> None:
    meter = Meter(fate)
    assert carried_out(meter)[:3] == ("failed", code, 0)
    assert (meter.attempts, meter.looks) == (1, 0)


def test_a_driver_that_hangs_or_fails_leaves_it_unknown_unless_the_device_shows_it() -> None:
    hanging = Meter(None)
    assert carried_out(hanging)[:3] == ("verified", "done", ATTEMPT_WITHIN_S)
    assert hanging.attempts == 1
    failing = Meter(ZeroDivisionError(), opens_after_s=99)
    assert carried_out(failing)[:2] == ("failed", "not_done")


@pytest.mark.parametrize("fault", [LinkError("cut"), DeviceRefusedError("no"), ZeroDivisionError()])
def test_what_cannot_be_read_back_is_unknown(fault: Exception) -> None:
    meter = Meter()

    def fail(_: int) -> None:
        raise fault

    meter.fault = fail
    state, code, after_s, detail = carried_out(meter)
    assert (state, code, after_s) == ("unknown", "no_proof", READ_BACK_WITHIN_S)
    assert "it cannot be read back" in detail
    assert meter.attempts == 1


def test_a_device_that_comes_back_in_time_is_believed() -> None:
    meter = Meter()

    def fail(looks: int) -> None:
        if looks < 40:
            raise LinkError("cut")

    meter.fault = fail
    assert carried_out(meter)[:3] == ("verified", "done", 10)


def test_without_a_link_nothing_is_sent() -> None:
    state, code, _, detail = carried_out(None)
    assert (state, code) == ("failed", "not_sent")
    assert "the link to the device is down" in detail


def test_a_state_that_does_not_come_is_told_in_time() -> None:
    class Slow(Meter):
        async def observe(self, source: str | None, point: str) -> Shown:
            del source, point
            await asyncio.sleep(60)
            return OPEN

    async def main() -> None:
        with pytest.raises(NoStateError, match="did not tell its state within 10 s"):
            await Hand(POINT, Slow, Health("edge")).look()

    run(main())


def test_an_is_done_that_fails_is_no_proof() -> None:
    class Wrong(Meter):
        def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
            raise KeyError(order.point, before, after)

    meter = Wrong()
    health = Health("edge")

    async def main() -> str:
        hand = Hand(POINT, lambda: meter, health)
        return (await hand.judge(ORDER, CLOSED, await hand.attempt(ORDER))).state

    assert run(main()) == "unknown"
    labels = {"event": "control_driver_failed", "level": "error"}
    assert health.registry.get_sample_value("tagwharf_troubles_total", labels)
