"""Runs files of tests: for `tagwharf rules test`, and for pytest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Final

from gateway.config import ConfigError
from gateway.config.models import SiteFile
from gateway.config.rule_file import read_rule_file
from gateway.config.toml_file import parse, read
from rules.expansion import load_as_run
from rules.testing.models import SUFFIX, Case, CaseFile, Expected, Timeline, load_cases
from rules.testing.player import Player
from rules.testing.verdict import Judge
from rules.testing.workbench import Workbench, card_name, of_tests, site_of_tables

_IGNORED: Final = frozenset({".venv", ".git", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test; `failures` are empty when all is well, `timeline` is what happened."""

    path: Path
    name: str
    failures: list[str] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The failure, as an operator reads it."""
        lines = [f"FAILED {self.path}: {self.name}"]
        lines += [f"  {line}" for failure in self.failures for line in failure.splitlines()]
        if self.timeline:
            lines += ["  timeline:", *(f"    {line}" for line in self.timeline)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class CaseAt:
    """One test of a file, for pytest to parametrise with."""

    path: Path
    name: str

    def id(self, root: Path) -> str:
        """What the test is called below `root`."""
        return f"{self.path.relative_to(root).as_posix().removesuffix(SUFFIX)}: {self.name}"

    def run(self, *, restarts: bool = False) -> Result:
        """Run it; a file with faults is a failure.

        Raises:
            ConfigError: the file, or the site file that it names, has faults; one line each.
        """
        cases = load_cases(self.path)
        case = next(each for each in cases.test if each.name == self.name)
        return run_case(cases, case, site_of(cases, self.path), self.path, restarts=restarts)


def cases(root: Path) -> list[CaseAt]:
    """All tests in the files below a directory.

    Raises:
        ConfigError: a file has faults; one line each.
    """
    if not root.is_dir():
        return []
    return [CaseAt(path, case.name) for path in find([root]) for case in load_cases(path).test]


def find(paths: Iterable[Path]) -> list[Path]:
    """All files of tests among these files and directories.

    Raises:
        ConfigError: one of them is neither.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += (each for each in path.rglob(f"*{SUFFIX}") if not _IGNORED & set(each.parts))
        elif path.name.endswith(SUFFIX):
            found.append(path)
        elif (beside := path.with_name(path.stem + SUFFIX)).is_file():
            found.append(beside)
        else:
            raise ConfigError(f"{path}: is no file of tests (NAME{SUFFIX}), nor is there {beside.name} beside it")
    return sorted(dict.fromkeys(found))


def run_file(path: Path, names: Sequence[str] = (), *, restarts: bool = False) -> Iterator[Result]:
    """Run the tests of one file, those whose name contains one of `names`, if any are given.

    Raises:
        ConfigError: the file, or the site file that it names, has faults; one line each.
    """
    cases = load_cases(path)
    site = site_of(cases, path)
    for case in cases.test:
        if not names or any(name in case.name for name in names):
            yield run_case(cases, case, site, path, restarts=restarts)


def site_of(file: CaseFile | Timeline, path: Path, config: Path | None = None) -> SiteFile:
    """The site that a file of tests is about: `config` where the file names none.

    Raises:
        ConfigError: it has faults; one line each.
    """
    named = config if file.rules is None else path.parent / file.rules
    if named is None:
        if file.inline is None:
            raise ConfigError(f"{path}: rules: is missing; name the site file there, or with --config")
        return site_of_tables(file.inline, path)
    if "site" in parse(named, read(named, f"{path.name} names it as its rules")):
        if file.inline is not None:
            raise ConfigError(f"{path}: inline: {named.name} is a whole site file; move these tables into it")
        return load_as_run(named)
    beside = read_rule_file(named)
    if beside.faults:
        raise ConfigError("\n".join(beside.faults))
    return site_of_tables({**(file.inline or {}), **beside.tables}, path)


def run_case(cases: CaseFile, case: Case, site: SiteFile, path: Path, *, restarts: bool = False) -> Result:
    """Run one test; with `restarts` the rules are also restarted after everything that is given.

    Raises:
        ConfigError: its things have faults.
    """
    bench = of_tests(site, [*cases.things, *case.things])
    try:
        start_us = start_of(case)
        player = Player(bench, start_us, restarts=restarts)
        try:
            player.play(case.given, case.until)
        except (LookupError, ValueError) as error:
            return Result(path, case.name, [f"cannot be played: {error}"])
        judge = Judge(_with_card_names(case, bench), start_us)
        failures = judge.failures(player.made)
        return Result(path, case.name, failures, judge.timeline(case.given, player.made) if failures else [])
    finally:
        bench.close()


def start_of(case: Case | Timeline) -> int:
    """The time of 0s, in microseconds since 1970; UTC where no zone is written."""
    start = case.start if case.start.tzinfo is not None else case.start.replace(tzinfo=UTC)
    return round(start.timestamp()) * 1_000_000


def _with_card_names(case: Case, bench: Workbench) -> Case:
    """The test, with the cards in its expectations called as events call them."""

    def named(expected: Expected) -> Expected:
        subject = expected.subject
        if subject is None or ":" not in subject:
            return expected
        try:
            return expected.model_copy(update={"subject": card_name(subject, bench.identities)})
        except ValueError:
            return expected  # something else with a colon in it

    return case.model_copy(update={"expect": list(map(named, case.expect)), "never": list(map(named, case.never))})
