import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tagwharf_ctl.units import State, Units, _Seen, version_of_process

from tests.packaging.plant import EDGE, Plant

OLD = State(active="active", pid=1, invocation="a", watched=True, fed_us=50)


def state(**changes: object) -> State:
    values = {"active": "active", "pid": 2, "invocation": "b", "watched": True, "fed_us": 100, **changes}
    return State(**values)  # type: ignore[arg-type]  # a test's short hand for the fields of a state


def ticks(*looks: State) -> int:
    seen = _Seen(OLD)
    for second, look in enumerate(looks):
        seen.look(look, float(second))
    return seen.ticks


def test_only_a_fed_watchdog_of_one_new_process_counts() -> None:
    assert ticks(state(fed_us=100), state(fed_us=101), state(fed_us=102)) == 2
    assert ticks(state(), state(), state()) == 0, "a hang has counted"
    assert ticks(*[state(invocation="a", fed_us=each) for each in range(9)]) == 0, "the old process has counted"
    assert ticks(state(), state(fed_us=101), state(pid=3, fed_us=102)) == 0, "another process begins anew"
    assert ticks(state(), state(fed_us=101), state(active="activating", fed_us=102)) == 0


def test_without_a_watchdog_it_has_to_stay_up() -> None:
    still = state(watched=False, fed_us=0)
    assert ticks(*[still] * 3) == 0
    assert ticks(*[still] * 8) == 2


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (state(active="failed", exit_status=78), "status 78 and stays down"),
        (state(active="activating", result="watchdog"), "stood still"),
        (state(active="activating", restarts=3, exit_status=1), "died 3 times"),
        (state(invocation="a", active="failed"), ""),
        (state(restarts=2), ""),
    ],
)
def test_when_a_service_is_lost(last: State, why: str) -> None:
    hopeless = _Seen(OLD, last).hopeless()
    assert why in hopeless
    assert bool(hopeless) == bool(why)


def test_instances_are_found_and_nothing_is_asked_where_systemd_does_not_run(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", current="0.1.0")
    wants = plant.here / "enabled/multi-user.target.wants"
    (wants / "tagwharf-edge@dock.service").symlink_to("/nowhere")
    (wants / "mosquitto.service").symlink_to("/nowhere")
    assert plant.machine.units.enabled() == [EDGE, "tagwharf-edge@dock.service"]
    away = Units(systemctl="/nonexistent", enabled=plant.here / "enabled", booted=tmp_path / "no")
    assert away.all() == []
    assert away.restart_and_watch([EDGE], ticks=1, within_s=0.1) == {}


def test_the_version_of_a_process_is_that_of_its_interpreter(tmp_path: Path) -> None:
    python = tmp_path / "versions/0.1.0/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE) as process:
        until_s = time.monotonic() + 30
        while version_of_process(process.pid, tmp_path) is None and time.monotonic() < until_s:
            time.sleep(0.01)  # the kernel tells the arguments a moment after it has taken them
        assert version_of_process(process.pid, tmp_path) == "0.1.0"
        process.communicate(b"\n")
    assert version_of_process(os.getpid(), tmp_path) is None
    assert version_of_process(0, tmp_path) is None
