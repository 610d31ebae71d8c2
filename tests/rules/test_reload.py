"""What every reloader does; of things see `things/test_reload.py`, of the rules `test_rule_reload.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.contract.events import Alarm
from gateway.health import Health
from rules.list_file import RefusedError
from rules.outputs import Outputs
from rules.own_events import OwnAlarms
from rules.reload import SHOWN_FAULTS, FileReloader, stamp_or_none
from tests.support.card_readers import logged


class Numbers(FileReloader[list[int]]):
    """Two files of whole numbers, one a line."""

    noun = "numbers"
    serves_on = "those before them count on"

    def __init__(self, paths: Sequence[Path], *, settles: bool = False) -> None:
        self.paths = paths
        self.told: list[Outputs] = []
        self.installed: list[list[int]] = []
        self.discarded = 0
        self.meanwhile = ""
        self.settles = settles
        seen = {path: stamp_or_none(path) for path in paths}
        super().__init__(paths[0].name, seen, alarms=OwnAlarms({}, self.told.append, lambda: 5), health=Health("rules"))

    def files(self) -> Sequence[Path]:
        return self.paths

    def load(self) -> list[int]:
        lines = [line for path in self.paths for line in path.read_text().splitlines()]
        if self.meanwhile:
            self.paths[0].write_text(self.meanwhile)
            self.meanwhile = ""
        if wrong := [f"{line!r} is no number" for line in lines if not line.isdigit()]:
            raise RefusedError(wrong)
        return [int(line) for line in lines]

    def install(self, loaded: list[int]) -> None:
        self.installed.append(loaded)

    def describe(self, loaded: list[int]) -> dict[str, object]:
        return {"numbers": len(loaded)}

    def discard(self, loaded: list[int]) -> None:
        del loaded
        self.discarded += 1

    def now(self) -> None:
        asyncio.run(self.look())

    @property
    def alarms(self) -> list[Alarm]:
        return [alarm for outputs in self.told for alarm in outputs.alarms]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "one", tmp_path / "two"]
    for path in found:
        path.write_text("1\n")
    return found


def test_a_change_of_any_file_is_taken_into_use_once(paths: list[Path]) -> None:
    numbers = Numbers(paths)
    numbers.now()
    paths[1].write_text("22\n")
    with logged("rules") as said:
        numbers.now()
        numbers.now()
    assert numbers.installed == [[1, 22]]
    assert said.getvalue().count("numbers_loaded") == 1
    assert numbers.alarms == []


def test_faults_are_told_until_the_next_good_file(paths: list[Path]) -> None:
    numbers = Numbers(paths)
    paths[0].write_text("x\n" * (SHOWN_FAULTS + 2))
    numbers.now()
    numbers.now()
    (alarm,) = numbers.alarms
    assert (alarm.rule, alarm.subject, alarm.state) == ("numbers_refused", "one", "raised")
    assert alarm.message.startswith("one: 'x' is no number; ")
    assert alarm.message.endswith("; and 2 more; those before them count on")
    assert numbers.health.degraded == {"numbers": alarm.message}
    paths[0].write_text("3\n")
    numbers.now()
    assert [each.state for each in numbers.alarms] == ["raised", "cleared"]
    assert (numbers.installed, numbers.health.degraded) == ([[3, 1]], {})


def test_a_file_that_is_gone_is_tried_again(paths: list[Path]) -> None:
    numbers = Numbers(paths)
    paths[1].unlink()
    numbers.now()
    numbers.now()
    (alarm,) = numbers.alarms
    assert "cannot be read: No such file or directory" in alarm.message
    paths[1].write_text("1\n")
    numbers.now()
    assert numbers.installed == [[1, 1]]


@pytest.mark.parametrize(("first", "discarded"), [("x\n", 0), ("7\n", 1)])
def test_what_was_written_to_meanwhile_is_neither_taken_nor_refused(
    paths: list[Path], first: str, discarded: int
) -> None:
    numbers = Numbers(paths)
    paths[0].write_text(first)
    numbers.meanwhile = "88\n"
    numbers.now()
    assert (numbers.installed, numbers.alarms, numbers.discarded) == ([], [], discarded)
    numbers.now()
    assert numbers.installed == [[88, 1]]


def test_one_that_settles_waits_until_nothing_has_changed_between_two_looks(paths: list[Path]) -> None:
    numbers = Numbers(paths, settles=True)
    for text in ("2\n", "2\n3", "2\n33\n"):
        paths[0].write_text(text)
        numbers.now()
    assert numbers.installed == []
    numbers.now()
    assert numbers.installed == [[2, 33, 1]]


def test_who_asks_gets_it_read_at_once_changed_or_not(paths: list[Path]) -> None:
    async def main(numbers: Numbers) -> None:
        running = asyncio.create_task(numbers.run(every_s=60))
        for count in (1, 2):
            numbers.ask()
            async with asyncio.timeout(5):
                while len(numbers.installed) < count:
                    await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    numbers = Numbers(paths, settles=True)
    asyncio.run(main(numbers))
    assert numbers.installed == [[1, 1], [1, 1]]


def test_it_looks_by_itself(paths: list[Path]) -> None:
    async def main(numbers: Numbers) -> None:
        running = asyncio.create_task(numbers.run(every_s=0.01))
        paths[0].write_text("6\n66\n")
        async with asyncio.timeout(5):
            while not numbers.installed:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    numbers = Numbers(paths)
    asyncio.run(main(numbers))
    assert numbers.installed == [[6, 66, 1]]


def test_what_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_or_none(tmp_path / "absent") is None
    assert stamp_or_none(Path("a\0")) is None
