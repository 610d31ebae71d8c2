from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.contract.events import Alarm
from gateway.health import Health
from gateway.identity import Identities
from readers.tagdata.cards import CardIdentity
from rules.outputs import Outputs
from rules.own_events import REGISTRY_REFUSED, OwnAlarms
from rules.reload import SHOWN_FAULTS
from rules.things import reload, source
from rules.things.listing import Imported, build_from_csv, import_csv
from rules.things.registry import Registry
from rules.things.reload import Reloader
from rules.things.source import load, stamp_of
from rules.things.thing import Thing
from tests.rules.things.registries import IDENTITIES
from tests.support.card_readers import CANARY, leaks, logged

NAME = IDENTITIES.name(CardIdentity.from_text(CANARY))


class Bench:
    """A list that is watched, and what came of it."""

    def __init__(self, directory: Path, text: str = f"card,name\n{CANARY},Kim\n") -> None:
        self.path = directory / "things.csv"
        self.path.write_text(text)
        self.directory = directory
        self.told: list[Outputs] = []
        self.installed: list[Registry] = []
        self.health = Health("rules")
        self.reloader = Reloader(
            self.path,
            directory,
            IDENTITIES,
            stamp=stamp_of(self.path),
            install=self.installed.append,
            alarms=OwnAlarms({}, self.told.append, lambda: 10),
            health=self.health,
        )

    def replace(self, text: str) -> None:
        beside = self.directory / "new"
        beside.write_text(text)
        beside.replace(self.path)

    def look(self) -> None:
        asyncio.run(self.reloader.look())

    @property
    def alarms(self) -> list[Alarm]:
        return [alarm for outputs in self.told for alarm in outputs.alarms]


def test_an_unchanged_file_is_not_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.look()
    assert (bench.installed, bench.told) == ([], [])


def test_a_changed_file_is_taken_into_use_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.replace(f"card,name\n{CANARY},Kim Lee\n")
    bench.look()
    bench.look()
    (things,) = bench.installed
    assert things.card(NAME).thing == Thing("Kim Lee")
    assert bench.told == []


def test_a_list_may_become_a_registry(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    import_csv(bench.path, bench.path, IDENTITIES)
    bench.look()
    (things,) = bench.installed
    assert things.card(NAME).thing == Thing("Kim")


def test_a_bad_file_is_refused_whole_with_an_alarm_that_ends_with_a_good_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with logged("rules") as said:
        bench.replace(f"card,name\n{CANARY},Kim\n{CANARY},Jo\n{CANARY[5:]},No\n")
        bench.look()
        bench.look()
    (alarm,) = bench.alarms
    assert bench.installed == []
    assert (alarm.rule, alarm.subject, alarm.state, alarm.severity) == (
        REGISTRY_REFUSED,
        "things.csv",
        "raised",
        "critical",
    )
    assert alarm.message.startswith("things.csv: line 4: card: must begin with a technology")
    assert alarm.message.endswith(
        "line 3: card: is in line 2 already; keep one of the lines; the list before it serves on"
    )
    assert bench.health.degraded["registry"] == alarm.message
    assert said.getvalue().count("registry_refused") == 1
    assert leaks(alarm.message.encode()) == leaks(said.getvalue().encode()) == []
    bench.replace(f"card,name\n{CANARY},Jo\n")
    bench.look()
    assert [each.state for each in bench.alarms] == ["raised", "cleared"]
    assert "registry" not in bench.health.degraded
    assert len(bench.installed) == 1


def test_an_alarm_names_some_faults_of_many(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.replace("epc,name\n" + "XYZ,a\n" * 50)
    bench.look()
    assert bench.alarms[0].message.count("line ") == SHOWN_FAULTS
    assert "; and 45 more" in bench.alarms[0].message


def test_a_file_that_is_gone_is_an_alarm_until_it_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    aside = bench.path.rename(tmp_path / "aside")
    bench.look()
    bench.look()
    assert [each.message for each in bench.alarms] == [
        "things.csv: cannot be read: No such file or directory; the list before it serves on"
    ]
    aside.rename(bench.path)
    bench.look()
    assert [each.state for each in bench.alarms] == ["raised", "cleared"]


def test_a_file_that_is_being_written_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.replace("epc,na")

    def slowly(path: Path, directory: Path, identities: Identities) -> Registry:
        def build(path: Path, to: Path, identities: Identities) -> Imported:
            try:
                return build_from_csv(path, to, identities)
            finally:
                bench.replace("epc,name\n3034,Box\n")

        with monkeypatch.context() as patch:
            patch.setattr(source, "build_from_csv", build)
            return load(path, directory, identities)

    with monkeypatch.context() as patch:
        patch.setattr(reload, "load", slowly)
        bench.look()
    assert (bench.installed, bench.told) == ([], [])
    bench.look()
    assert bench.installed[0].tag("3034") == Thing("Box")


def test_it_looks_until_it_is_cancelled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def main() -> None:
        running = asyncio.create_task(bench.reloader.run(every_s=0.01))
        bench.replace("epc,name\n3034,Box\n")
        async with asyncio.timeout(5):
            while not bench.installed:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert bench.installed[0].things == 1
