from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from readers.codecs.dlt645 import Function
from readers.codecs.dlt645_records import FreezeKind, freeze_time_identifier
from readers.control import Action, Attempt, Fate, Order, Shown
from readers.errors import ConfigError, LinkError
from readers.meters.dlt645.driver import Dlt645Driver
from readers.meters.dlt645.settings import SNAPSHOT, Protocol
from readers.meters.dlt645.snapshot import NEVER
from readers.ports.memory import START_US, run
from simulator.meters.dlt645 import Behaviour, Meter
from tests.readers.meters.dlt645.scenes import A1, A2, Steady, driven, settings

US = 1_000_000
TIME = freeze_time_identifier(FreezeKind.ORDERED, 1)


def order(action: Action = Action.FREEZE, *, source: str | None = "m0", expires_s: float = 3600) -> Order:
    return Order(SNAPSHOT, source, action, START_US + round(expires_s * US))


def played(
    scene: Callable[[Dlt645Driver], Awaitable[Any]], behaviour: Behaviour | None = None, **more: Any
) -> tuple[Any, Meter]:
    meter = Meter(A1, Steady(), behaviour)
    talking = Dlt645Driver(settings([A1, A2], read=["status"], **more))
    found: list[Any] = []

    async def whole() -> None:
        await asyncio.sleep(1)
        found.append(await scene(talking))

    run(driven(talking, {A1: meter, A2: Meter(A2, Steady())}, whole, []))
    return found[0], meter


async def frozen(talking: Dlt645Driver) -> tuple[Shown, Attempt, Shown, bool | None]:
    before = await talking.observe("m0", SNAPSHOT)
    attempt = await talking.attempt(order())
    after = await talking.observe("m0", SNAPSHOT)
    return before, attempt, after, talking.is_done(order(), before, after)


def test_every_meter_of_2007_has_one_without_any_password() -> None:
    given = settings([A1, A2]).control_points()
    assert [(point.name, point.source, point.actions) for point in given] == [
        (SNAPSHOT, "m0", (Action.FREEZE,)),
        (SNAPSHOT, "m1", (Action.FREEZE,)),
    ]
    line = settings([A1])
    old = line.meters[0].model_copy(update={"protocol": Protocol.EDITION_1997})
    assert line.model_copy(update={"meters": (old,)}).control_points() == ()


def test_it_is_taken_kept_and_told_by_its_minute() -> None:
    (before, attempt, after, is_done), meter = played(frozen)
    assert before.values == {"frozen_at": NEVER}
    assert attempt.fate is Fate.ACCEPTED
    assert str(after.values["frozen_at"]).endswith("Z")
    assert is_done is True
    kept = meter.history.frozen(FreezeKind.ORDERED, 1)
    assert kept is not None
    assert kept.totals.energies[1, 0] == meter.totals.energies[1, 0] > 0


def test_a_second_one_in_the_same_minute_cannot_be_told_from_the_first() -> None:
    async def twice(talking: Dlt645Driver) -> tuple[Shown, Attempt, Shown, bool | None]:
        await frozen(talking)
        return await frozen(talking)

    (_, attempt, _, is_done), meter = played(twice)
    assert attempt.fate is Fate.ACCEPTED
    assert is_done is None
    assert meter.history.frozen(FreezeKind.ORDERED, 2) is not None


def test_a_lost_answer_is_unknown_and_the_order_is_not_repeated() -> None:
    behaviour = Behaviour(loses_replies_to=frozenset({Function.FREEZE}))
    (_, attempt, _, is_done), meter = played(frozen, behaviour)
    assert attempt.fate is Fate.UNKNOWN
    assert is_done is True, "it can be read back all the same"
    assert meter.history.frozen(FreezeKind.ORDERED, 2) is None


def test_what_is_late_or_of_nobody_is_not_sent() -> None:
    async def scene(talking: Dlt645Driver) -> list[Attempt]:
        return [
            await talking.attempt(order(expires_s=0)),
            await talking.attempt(order(source="m9")),
            await talking.attempt(order(Action.TRIP)),
        ]

    attempts, meter = played(scene)
    assert [attempt.fate for attempt in attempts] == [Fate.NOT_SENT] * 3
    for text, attempt in zip(("expired", "no meter m9", "has no trip"), attempts, strict=True):
        assert text in attempt.detail
    assert meter.history.frozen(FreezeKind.ORDERED, 1) is None


def test_a_meter_that_does_not_say_is_told() -> None:
    async def scene(talking: Dlt645Driver) -> None:
        with pytest.raises(ConfigError, match="no meter m9"):
            await talking.observe("m9", SNAPSHOT)
        with pytest.raises(LinkError, match=f"not when asked for its snapshot \\({TIME:08X}\\)|did not answer"):
            await talking.observe("m0", SNAPSHOT)

    played(scene, Behaviour(ignores=frozenset({TIME})))
