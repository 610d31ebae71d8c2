"""Rows of every kind for tests of the questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.contract.events import Alarm, Event, Scalar
from gateway.event_journal import Row
from gateway.history import DayFiles
from tests.gateway.journal_rows import NOON_US, evidence, journal

S = 1_000_000
HOUR = 3_600 * S


def days(directory: Path) -> DayFiles:
    return DayFiles(directory, within_s=30.0)


def write(directory: Path, now_us: int = NOON_US, **rows: Sequence[Row]) -> None:
    made = journal(directory, now_us)
    assert made.append([rows]) == []
    made.close()


def told(number: int, at_us: int, kind: str, fields: dict[str, Scalar] | None = None, **more: str) -> Event:
    subject = more.pop("subject", "lane-1")
    made = Event(id=f"{number:020x}", type=kind, at_us=at_us, subject=subject, evidence=evidence(), fields=fields or {})
    return msgspec.structs.replace(made, **more)


def alarm(at_us: int, *, key: str = "a1", state: str = "raised", **more: str) -> Alarm:
    made = Alarm(
        id=key,
        rule="hot",
        severity="warning",
        subject="meter-1",
        state=state,
        since_us=at_us,
        at_us=at_us,
        message="too hot",
        evidence=evidence(),
    )
    return msgspec.structs.replace(made, **more)


def alarm_row(a: Alarm) -> Row:
    return (a.at_us, a.id, a.state, a.rule, a.severity, a.subject, a.since_us, a.message, msgspec.json.encode(a))


def signal(at_us: int, said: float | str | bool, *, device: str = "scale", name: str = "weight") -> Row:  # noqa: FBT001  # a value, not a switch
    state = int(said) if isinstance(said, bool) else None
    value = float(said) if isinstance(said, float | int) and state is None else None
    return (at_us * 1_000, device, name, "kg", value, said if isinstance(said, str) else None, state)


def rate(at_us: int, port: str, reads: int, *, device: str = "gate-1", rssi: float = -50.0) -> Row:
    return (at_us * 1_000, device, port, f"point-{port}", reads, reads // 2, rssi, rssi + 5, 10.0)


def energy(at_us: int, wh: float, *, meter: str = "m", tariff: str = "", **more: object) -> Row:
    given = {"quality": "measured", "to_us": at_us + 900 * S, "cost": None, "estimated": 0, "phase": "", **more}
    quantity = "active_energy_import"
    return (
        *(at_us * 1_000, meter, quantity, "Wh", given["phase"], tariff, "meter", "s1", wh, given["estimated"]),  # type: ignore[return-value]  # columns of a test
        *(given["quality"], 0, wh, 1, at_us, given["to_us"], None, given["cost"]),
        "CNY" if given["cost"] is not None else None,
    )
