from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.config.rules import LookUpTable
from gateway.contract.events import Alarm
from gateway.health import Health
from rules.outputs import Outputs
from rules.own_events import TABLE_REFUSED, OwnAlarms
from rules.tables.reload import TableReloader
from rules.tables.shelf import Kept, Shelf
from tests.rules.tables.desk import settings
from tests.support.card_readers import logged


class Bench:
    """Two tables that are watched, and what came of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = [self.table("a"), self.table("b")]
        self.shelf = Shelf(directory)
        self.shelf.start(self.settings)
        self.told: list[Outputs] = []
        self.health = Health("rules")
        alarms = OwnAlarms({}, self.told.append, lambda: 10)
        self.reloader = TableReloader(self.shelf, alarms=alarms, health=self.health)

    def table(self, name: str, bay: str = "1") -> LookUpTable:
        path = self.directory / f"{name}.csv"
        beside = self.directory / "new"
        beside.write_text(f"truck,bay\nT-1,{bay}\n")
        beside.replace(path)
        return settings(path, {"bay": "int"}, name=name)

    def look(self, *, now: bool = False) -> None:
        asyncio.run(self.reloader.look(now=now))

    def bay(self, name: str) -> object:
        table = self.shelf.tables.get(name)
        assert table is not None
        found = table.find("T-1")
        assert found is not None
        return found[0]

    @property
    def alarms(self) -> list[Alarm]:
        return [alarm for outputs in self.told for alarm in outputs.alarms]


def test_a_changed_file_is_taken_into_use_and_the_others_are_not_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = bench.shelf.tables.get("b")
    bench.look()
    bench.table("a", "2")
    with logged("rules") as said:
        bench.look()
        bench.look()
    assert (bench.bay("a"), bench.shelf.tables.get("b") is other) == (2, True)
    assert said.getvalue().count("table_loaded") == 1
    assert bench.told == []


def test_a_bad_file_is_refused_whole_and_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with logged("rules") as said:
        bench.table("a", "x")
        bench.table("b", "2")
        bench.look()
        bench.look()
    [alarm] = bench.alarms
    assert (alarm.rule, alarm.subject, alarm.state, alarm.severity) == (TABLE_REFUSED, "a", "raised", "critical")
    assert alarm.message == "a: line 2: bay = 'x': must be a whole number of 64 bits; the table before it serves on"
    assert (bench.bay("a"), bench.bay("b")) == (1, 2)
    assert bench.health.degraded == {"table a": alarm.message}
    assert said.getvalue().count("table_refused") == 1
    bench.table("a", "3")
    bench.look()
    assert [each.state for each in bench.alarms] == ["raised", "cleared"]
    assert (bench.bay("a"), bench.health.degraded) == (3, {})


def test_a_file_that_is_gone_is_an_alarm_until_it_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    aside = (tmp_path / "a.csv").rename(tmp_path / "aside")
    bench.look()
    bench.look()
    assert [each.message for each in bench.alarms] == [
        "a: cannot be read: No such file or directory; the table before it serves on"
    ]
    assert bench.bay("a") == 1
    aside.rename(tmp_path / "a.csv")
    bench.look()
    assert [each.state for each in bench.alarms] == ["raised", "cleared"]


def test_what_new_rules_bring_is_watched_and_what_they_leave_out_is_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.table("a", "x")
    bench.look()
    new = [bench.settings[1], bench.table("c")]
    bench.shelf.install(new, bench.shelf.read(new))
    bench.look()
    assert [(each.subject, each.state) for each in bench.alarms] == [("a", "raised"), ("a", "cleared")]
    assert bench.health.degraded == {}
    bench.table("c", "7")
    bench.look()
    assert bench.bay("c") == 7
    other = settings(bench.settings[1].file, {"bay": "string"}, name="b")
    bench.shelf.install([other], bench.shelf.read([other]))
    bench.table("b", "x")
    bench.look()
    assert bench.bay("b") == "x"


def test_a_file_that_is_another_by_the_time_it_was_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    bench.look()
    read_one, made = bench.shelf.read_one, list[Kept]()

    def slowly(each: LookUpTable) -> Kept:
        made.append(read_one(each))
        bench.table("a", "3")
        return made[-1]

    bench.table("a", "2")
    with monkeypatch.context() as patch:
        patch.setattr(bench.shelf, "read_one", slowly)
        bench.look()
    assert (bench.bay("a"), bench.told) == (1, [])
    with pytest.raises(Exception, match="closed"):
        made[0].table.find("T-1")
    bench.look()
    assert bench.bay("a") == 3


def test_it_looks_until_it_is_cancelled_and_at_once_when_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def main() -> None:
        running = asyncio.create_task(bench.reloader.run(every_s=0.01))
        bench.table("a", "5")
        async with asyncio.timeout(5):
            while bench.bay("a") != 5:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        first = bench.shelf.tables.get("b")
        running = asyncio.create_task(bench.reloader.run(every_s=60))
        bench.reloader.ask()
        async with asyncio.timeout(5):
            while bench.shelf.tables.get("b") is first:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert bench.bay("b") == 1
