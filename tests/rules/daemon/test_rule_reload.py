from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.config.models import SiteFile
from gateway.contract.events import Alarm
from gateway.health import Health
from rules.daemon.rule_reload import RESTART, RuleReloader, stamps_of
from rules.engine import Engine
from rules.expansion import load_as_run
from rules.outputs import Outputs
from rules.own_events import RULES_REFUSED, OwnAlarms
from rules.tables.shelf import Shelf
from tests.rules.things.registries import NOTHING
from tests.support.card_readers import logged

SITE = '[site]\nname = "harbour"\n'
BESIDE = SITE + '[rules]\nfile = "rules.toml"\n'
RULE = '[[rule]]\nname = "{name}"\nshape = "match"\non = "status"\nwhen = "e.state == \'{state}\'"\n'
DOWN = RULE.format(name="down", state="offline")
UP = RULE.format(name="up", state="online")


class Bench:
    """A site file that is watched, and the engine that runs by it."""

    def __init__(self, directory: Path, text: str = SITE + DOWN) -> None:
        self.directory = directory
        self.path = directory / "site.toml"
        self.write(text)
        seen, site = stamps_of(self.path), load_as_run(self.path)
        self.told: list[Outputs] = []
        self.replaced: list[SiteFile] = []
        self.engine = Engine(site, NOTHING)
        self.health = Health("rules")
        self.reloader = RuleReloader(
            self.path,
            site,
            seen=seen,
            shelf=Shelf(directory),
            replace=self.replace,
            alarms=OwnAlarms({}, self.told.append, lambda: 5),
            health=self.health,
        )

    def replace(self, site: SiteFile) -> None:
        self.engine.replace(site)
        self.replaced.append(site)

    def write(self, text: str, name: str = "site.toml") -> None:
        beside = self.directory / "new"
        beside.write_text(text)
        beside.replace(self.directory / name)

    def look(self) -> None:
        """Twice: what has changed since the last look may be changing still."""
        for _ in range(2):
            asyncio.run(self.reloader.look())

    @property
    def rules(self) -> list[list[str]]:
        return [[rule.name for rule in site.rule] for site in self.replaced]

    @property
    def alarms(self) -> list[Alarm]:
        return [alarm for outputs in self.told for alarm in outputs.alarms]


def test_a_changed_site_file_is_taken_over_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.look()
    bench.write(SITE + DOWN + UP)
    with logged("rules") as said:
        bench.look()
        bench.look()
    assert bench.rules == [["down", "up"]]
    assert said.getvalue().count("rules_loaded") == 1
    assert bench.alarms == []


def test_a_changed_rule_file_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(DOWN)
    bench = Bench(tmp_path, BESIDE)
    bench.look()
    bench.write(UP, "rules.toml")
    bench.look()
    assert bench.rules == [["up"]]


def test_a_file_with_one_bad_rule_is_refused_whole_until_it_is_good(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(DOWN)
    bench = Bench(tmp_path, BESIDE)
    bench.write(UP + RULE.format(name="bad", state="away"), "rules.toml")
    bench.look()
    bench.look()
    (alarm,) = bench.alarms
    assert (alarm.rule, alarm.subject, alarm.state) == (RULES_REFUSED, "site.toml", "raised")
    assert alarm.message.startswith("site.toml: rules.toml:10: rule[bad].when = ")
    assert alarm.message.endswith("; the rules before it run on")
    assert bench.health.degraded == {"rules": alarm.message}
    assert bench.rules == []
    bench.write(UP, "rules.toml")
    bench.look()
    assert [each.state for each in bench.alarms] == ["raised", "cleared"]
    assert (bench.rules, bench.health.degraded) == ([["up"]], {})


def test_a_rule_file_that_is_named_anew_is_watched_even_while_it_is_bad(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("[[rule]]\n", "rules.toml")
    bench.write(BESIDE)
    bench.look()
    assert len(bench.alarms) == 1
    bench.write(UP, "rules.toml")
    bench.look()
    assert bench.rules == [["up"]]
    assert bench.alarms[-1].state == "cleared"


def test_a_rule_file_that_is_gone_is_a_fault_until_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(DOWN)
    bench = Bench(tmp_path, BESIDE)
    (tmp_path / "rules.toml").unlink()
    bench.look()
    assert "rules.toml: cannot be read: No such file or directory" in bench.alarms[0].message
    (tmp_path / "rules.toml").write_text(DOWN)
    bench.look()
    assert bench.alarms[-1].state == "cleared"
    assert bench.rules == []  # they are what runs already


@pytest.mark.parametrize("more", ["", UP])
def test_what_is_not_taken_over_needs_a_restart_and_is_told_once(tmp_path: Path, more: str) -> None:
    bench = Bench(tmp_path)
    zone = '[[zone]]\nname = "yard"\nread_points = ["gate-1"]\n'
    reader = '[[reader]]\nname = "gate"\ndriver = "llrp"\nport = "tcp://10.0.0.1"\n'
    bench.write(SITE + DOWN + more + reader + zone)
    with logged("rules") as said:
        bench.look()
        bench.write(SITE + DOWN + more + reader + zone + "\n")
        bench.look()
    assert bench.health.degraded == {RESTART: "site.toml: [[reader]], [[zone]] changed: needs a restart"}
    assert said.getvalue().count("restart_needed") == 1
    assert bench.rules == ([["down", "up"]] if more else [])
    assert all(site.zone == [] for site in bench.replaced)
    bench.write(SITE + DOWN + more)
    bench.look()
    assert bench.health.degraded == {}


def test_a_rule_that_rests_on_what_waits_for_a_restart_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    calendar = (
        '[production]\ntimezone = "Asia/Shanghai"\n[[production.calendar]]\nname = "day"\n'
        '[[production.calendar.shift]]\nname = "early"\nbegin = "06:00"\nend = "14:00"\n'
    )
    bench.write(SITE + DOWN + UP + 'during = "day"\n' + calendar)
    bench.look()
    assert bench.rules == []
    assert bench.alarms[0].rule == RULES_REFUSED
    assert "rule[up].during = 'day'" in bench.alarms[0].message
    assert "; what it rests on waits for a restart; the rules before it run on" in bench.alarms[0].message


def test_stamps_are_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(BESIDE)
    stamps = stamps_of(tmp_path / "site.toml")
    assert list(stamps) == [tmp_path / "site.toml", tmp_path / "rules.toml"]
    assert stamps[tmp_path / "rules.toml"] is None
