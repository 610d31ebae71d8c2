"""Gate transactions, as the pack `port` makes them."""

from __future__ import annotations

from pathlib import Path

from gateway.contract.events import Event, Evidence, Scalar, event_id
from rules.packs import port
from rules.testing.files import site_of, start_of
from rules.testing.models import load_cases
from rules.testing.player import Player
from rules.testing.workbench import of_tests

AT_US = 1_772_439_322_250_000  # 2026-03-02T08:15:22.25Z


def transaction(number: int = 1, kind: str = "gate-transaction", /, **fields: Scalar) -> Event:
    """A truck that was let in; `fields` change what its transaction tells, None leaves out."""
    told: dict[str, Scalar] = {
        "missing": "",
        "missing_count": 0,
        "opened_at_us": AT_US - 15_000_000,
        "verdict": "open",
        "reasons": "",
        "direction": "in",
        "truck": "HH-AB 123",
        "container": "CSQU3054383",
        "seal": "SEAL-1",
        "seal_state": "sealed",
        "weight_kg": 24_800.0,
        "vehicle_tare_kg": 14_500.0,
        "driver": "Kim",
        "appointment_booking": "BK7781",
        "appointment_size_type": "22G1",
        "appointment_empty": False,
        "duration_s": 15.0,
        "closed_by": "event",
        **fields,
    }
    return Event(
        id=event_id("gate", number),
        type=kind,
        at_us=AT_US,
        subject="lane-1",
        evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2),
        rule="gate-lane-1",
        fields={name: value for name, value in told.items() if value is not None},
    )


def transactions_of_the_pack() -> list[Event]:
    """What the gate of the pack's own tests makes of the trucks in them."""
    path = Path(port.__file__).with_name("gate.tests.toml")
    cases = load_cases(path)
    site = site_of(cases, path)
    made: list[Event] = []
    for case in cases.test:
        bench = of_tests(site, [*cases.things, *case.things])
        try:
            player = Player(bench, start_of(case))
            player.play(case.given, case.until)
        finally:
            bench.close()
        made += [each.told for each in player.made if isinstance(each.told, Event)]
    return [event for event in made if event.type == "gate-transaction"]
