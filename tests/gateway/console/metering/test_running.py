from pathlib import Path
from typing import Any

from gateway.console.metering import running
from gateway.console.metering.known import machines_of
from gateway.console.metering.running import RunningMachines
from gateway.contract.batches import ReadingBatch, Signal, SignalBatch
from tests.gateway.console.metering.sites import PLANT
from tests.gateway.console.metering.test_known import site_of

S = 1_000_000


def told(at_s: int, *signals: tuple[str, Any], device: str = "loom") -> SignalBatch:
    made = [Signal(name, value, "m" if name.endswith("count") else None) for name, value in signals]
    return SignalBatch(gateway="g", device=device, received_at_us=at_s * S, signals=made)


def machines(tmp_path: Path) -> RunningMachines:
    return RunningMachines(machines_of(site_of(tmp_path, PLANT)))


def test_a_machine_is_shown_with_its_newest_signals(tmp_path: Path) -> None:
    part = machines(tmp_path)
    cursor = part.follow({})
    part.take(told(1, ("machine_state", "execute"), ("good_count", "5")))
    part.take(told(3, ("good_count", "9")))
    assert cursor.news() == {
        "whole": True,
        "rows": {
            "loom": {
                "device": "loom",
                "received_at_us": 3 * S,
                "state": "execute",
                "state_since_us": 0,
                "signals": {"machine_state": ("execute", "", S), "good_count": ("9", "m", 3 * S)},
            }
        },
    }


def test_since_when_is_told_of_a_change_alone(tmp_path: Path) -> None:
    part = machines(tmp_path)
    seen = []
    for at_s, state in ((1, "execute"), (2, "held"), (3, "held"), (9, "execute")):
        part.take(told(at_s, ("machine_state", state)))
        row = part.whole()["loom"]
        seen.append((row["state"], row["state_since_us"]))
    assert seen == [("execute", 0), ("held", 2 * S), ("held", 2 * S), ("execute", 9 * S)]


def test_what_waited_changes_nothing_that_is_newer(tmp_path: Path) -> None:
    part = machines(tmp_path)
    part.take(told(5, ("machine_state", "execute")))
    part.take(told(2, ("machine_state", "held"), ("good_count", "1")))
    row = part.whole()["loom"]
    assert (row["state"], row["signals"]["good_count"]) == ("execute", ("1", "m", 2 * S))


def test_only_machines_count_and_no_more_signals_than_fit(tmp_path: Path) -> None:
    part = machines(tmp_path)
    part.take(told(1, ("machine_state", "execute"), device="scale"))
    part.take(ReadingBatch(gateway="g", device="loom", received_at_us=1, readings=[]))
    assert part.whole() == {}
    part.take(told(1, *((f"s{n}", True) for n in range(running.SIGNALS_MOST + 3))))
    assert len(part.whole()["loom"]["signals"]) == running.SIGNALS_MOST
