"""Rules of all ten shapes at once: the same outputs however often the engine is restarted, or its rules are read."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch
from rules.engine import Engine
from rules.outputs import Outputs
from tests.rules.every_shape import every_shape
from tests.rules.test_engine import THINGS, frozen, judge, judge_with_restarts, late, traffic

FILE = every_shape()


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_at_any_point_changes_nothing(seed: int) -> None:
    batches = traffic(seed)
    whole = frozen(judge(FILE, batches))
    assert frozen(judge_with_restarts(FILE, batches, random.Random(seed), 0.3)) == whole
    assert frozen(judge_with_restarts(FILE, batches, random.Random(seed), 1.0)) == whole


@pytest.mark.parametrize("seed", range(8))
def test_a_restart_in_a_backlog_changes_nothing(seed: int) -> None:
    batches = late(traffic(seed), random.Random(seed))
    whole = frozen(judge(FILE, batches))
    assert frozen(judge_with_restarts(FILE, batches, random.Random(seed), 0.3)) == whole


@pytest.mark.parametrize("seed", range(8))
def test_rules_that_are_read_again_and_have_not_changed_change_nothing(seed: int) -> None:
    batches, again = traffic(seed), SiteFile.model_validate_json(FILE.model_dump_json())
    assert frozen(with_replacements(batches, lambda engine: engine.replace(again), seed)) == frozen(
        judge(FILE, batches)
    )


@pytest.mark.parametrize("seed", range(8))
def test_timers_that_are_swept_out_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = traffic(seed)
    whole = frozen(judge(FILE, batches))
    monkeypatch.setattr("rules.engine.STALE_TIMERS", -1_000_000)
    swept = Counter[str]()
    wind_up_anew = Engine._wind_up_anew

    def counted(engine: Engine) -> None:
        swept["times"] += 1
        wind_up_anew(engine)

    monkeypatch.setattr(Engine, "_wind_up_anew", counted)
    assert frozen(judge(FILE, batches)) == whole
    assert swept["times"]


@pytest.mark.parametrize("seed", range(8))
def test_other_rules_are_the_same_as_a_restart_with_them(seed: int) -> None:
    """Half of the rules are gone after the middle; the state of the others goes on."""
    batches = traffic(seed)
    half = FILE.model_copy(update={"rule": FILE.rule[::2]})
    running, stored, middle = Engine(FILE, THINGS), dict[str, bytes](), len(batches) // 2
    for batch in batches[:middle]:
        running.step(batch)
        for key, value in running.changes():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
    anew = Engine(half, THINGS)
    anew.restore(stored.items())
    running.replace(half)
    for batch in batches[middle:]:
        assert frozen([running.step(batch)]) == frozen([anew.step(batch)])
    assert running.counters()["rule_states"] == anew.counters()["rule_states"]


def test_the_same_batches_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from tests.rules.test_engine_shapes import *;"
        "print(hashlib.sha256(b''.join(frozen(judge(FILE, traffic(3))))).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


def test_the_muddle_makes_something_of_every_shape() -> None:
    outputs = [one for seed in range(12) for one in judge(FILE, traffic(seed))]
    made = {event.rule for one in outputs for event in one.events} | {
        alarm.rule for one in outputs for alarm in one.alarms
    }
    assert {rule.name for rule in FILE.rule} - made == {"flow"}  # "fewer than" while watched: the muddle never is
    cleared = {alarm.rule for one in outputs for alarm in one.alarms if alarm.state == "cleared"}
    assert cleared >= {"loud", "away", "high", "door", "near", "quiet", "crowd", "overdue", "beat", "inside"}


def with_replacements(batches: list[Batch], replace: Callable[[Engine], None], seed: int) -> list[Outputs]:
    """Between two steps now and then, the rules are read again."""
    rng, engine, outputs = random.Random(seed), Engine(FILE, THINGS), []
    for batch in batches:
        if rng.random() < 0.3:
            replace(engine)
        outputs.append(engine.step(batch))
    return outputs
