"""The walk test: someone carries a tag through a gate; rate and strength of each antenna are counted by second.

Pure: observations and the time go in, lines and a report come out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from gateway.logs import clean
from readers.observations import CardReads, Condition, DeviceInfo, InForce, Observation, Rejected, TagReads, Watching

BARS: Final = " ▁▂▃▄▅▆▇█"
SHOWN_SECONDS: Final = 30
MOST_SECONDS: Final = 24 * 3600  # of one test: what is kept by second stays small
MOST_TAGS: Final = 10_000  # distinct tags that are told apart, each antenna
WEAKEST_DBM: Final = -75.0
STRONGEST_DBM: Final = -35.0
US_PER_S: Final = 1_000_000
RSSI_LEAST_DBM: Final = -200
RSSI_MOST_DBM: Final = 100
"""What lies beyond is counted as these: a reader that lies about strengths must not fill the memory."""
WEAK_DBM: Final = -68.0
"""A median below leaves little over the -75 to -80 dBm at which fixed readers lose a tag that turns or gets wet."""
PATCHY_SHARE: Final = 0.5
"""Heard in fewer of the seconds from the first read to the last."""


class Verdict(StrEnum):
    """What to make of an antenna after a walk, the worst first."""

    NOT_WATCHED = "not_watched"
    SILENT = "silent"
    WEAK = "weak"
    PATCHY = "patchy"
    GOOD = "good"

    @property
    def text(self) -> str:
        """For a person."""
        return _TEXTS[self]


_TEXTS: Final = {
    Verdict.NOT_WATCHED: "not being read",
    Verdict.SILENT: "heard nothing",
    Verdict.WEAK: "weak",
    Verdict.PATCHY: "with gaps",
    Verdict.GOOD: "good",
}


@dataclass(slots=True)
class AntennaTally:
    """What one antenna heard.

    Attributes:
        reads_by_second: air reads by second of the test; strongest_by_second: the strongest read of it, dBm.
        strengths: how often each whole dBm was heard.
        last_rssi_dbm: of the newest read that said it.
        best: the strongest read, dBm, and its second.
        longest_silence: between two reads: after which second, and for how many.
    """

    antenna_port: int
    read_point: str
    reads: int = 0
    tags: set[bytes] = field(default_factory=set)
    reads_by_second: dict[int, int] = field(default_factory=dict)
    strongest_by_second: dict[int, float] = field(default_factory=dict)
    strengths: dict[int, int] = field(default_factory=dict)
    last_rssi_dbm: float | None = None
    is_watched: bool = False
    best: tuple[float, int] | None = None
    longest_silence: tuple[int, int] = (0, 0)
    _last_second: int | None = None

    def take(self, epc: bytes, count: int, rssi_dbm: float | None, second: int) -> None:
        """Count one row of reads."""
        self.reads += count
        if len(self.tags) < MOST_TAGS:
            self.tags.add(epc)
        if second <= MOST_SECONDS:
            self.reads_by_second[second] = self.reads_by_second.get(second, 0) + count
        if self._last_second is not None and second - self._last_second - 1 > self.longest_silence[1]:
            self.longest_silence = (self._last_second, second - self._last_second - 1)
        self._last_second = second
        if rssi_dbm is None:
            return
        self.last_rssi_dbm = rssi_dbm
        if self.best is None or rssi_dbm > self.best[0]:
            self.best = (rssi_dbm, second)
        whole = max(RSSI_LEAST_DBM, min(RSSI_MOST_DBM, round(rssi_dbm)))
        self.strengths[whole] = self.strengths.get(whole, 0) + count
        if second <= MOST_SECONDS:
            self.strongest_by_second[second] = max(rssi_dbm, self.strongest_by_second.get(second, rssi_dbm))

    def spark(self, second: int, seconds: int = SHOWN_SECONDS) -> str:
        """The strongest read of each of the last seconds as a bar; a dot where there was none."""
        bars = []
        for each in range(max(0, second - seconds + 1), second + 1):
            strongest = self.strongest_by_second.get(each)
            if each not in self.reads_by_second:
                bars.append("·")
            elif strongest is None:
                bars.append(BARS[-1])
            else:
                share = (strongest - WEAKEST_DBM) / (STRONGEST_DBM - WEAKEST_DBM)
                bars.append(BARS[max(1, min(len(BARS) - 1, round(share * (len(BARS) - 1))))])
        return "".join(bars)

    def mean_dbm(self) -> float | None:
        """The mean strength of all reads that said it, of whole dBm."""
        count = sum(self.strengths.values())
        return sum(dbm * times for dbm, times in self.strengths.items()) / count if count else None

    def median_dbm(self) -> float | None:
        """The median strength of all reads that said it, of whole dBm."""
        count = sum(self.strengths.values())
        if not count:
            return None
        middle = [self._ranked((count - 1) // 2), self._ranked(count // 2)]
        return sum(middle) / 2

    def verdict(self) -> Verdict:
        """What to make of it."""
        if not self.reads:
            return Verdict.SILENT if self.is_watched else Verdict.NOT_WATCHED
        strength = self.median_dbm()
        if strength is not None and strength < WEAK_DBM:
            return Verdict.WEAK
        heard = self.reads_by_second
        if heard and len(heard) < PATCHY_SHARE * (next(reversed(heard)) - next(iter(heard)) + 1):
            return Verdict.PATCHY
        return Verdict.GOOD

    def _ranked(self, place: int) -> int:
        for dbm in sorted(self.strengths):
            place -= self.strengths[dbm]
            if place < 0:
                return dbm
        raise IndexError("fewer strengths than that")

    def table(self, seconds: int) -> dict[str, Any]:
        """The tally for the report."""
        spread = sorted(self.strengths)
        after, silence = self.longest_silence
        return {
            "antenna_port": self.antenna_port,
            "read_point": self.read_point,
            "watched": self.is_watched,
            "reads": self.reads,
            "tags": len(self.tags),
            "reads_per_s": round(self.reads / seconds, 2) if seconds else 0.0,
            "best_second_reads": max(self.reads_by_second.values(), default=0),
            "seconds_with_reads": len(self.reads_by_second),
            "rssi_dbm_weakest": spread[0] if spread else None,
            "rssi_dbm_mean": None if (mean := self.mean_dbm()) is None else round(mean, 1),
            "rssi_dbm_median": self.median_dbm(),
            "rssi_dbm_strongest": spread[-1] if spread else None,
            "strongest_at_s": None if self.best is None else self.best[1],
            "longest_silence_s": silence,
            "longest_silence_at_s": after + 1 if silence else None,
            "verdict": self.verdict(),
            "reads_by_second": [self.reads_by_second.get(second, 0) for second in range(min(seconds, MOST_SECONDS))],
        }


class WalkTest:
    """Gathers what a reader says during the test.

    Args:
        read_points: names by antenna port; a port without one is called after the reader.
        epc: count this tag only; every tag when None.
        meant: what is said of the tags that are counted, where somebody else chooses them.
        began_us: when the test began.
        shown: what may be shown of a text that the device or its driver wrote.
    """

    def __init__(
        self,
        reader: str,
        driver: str,
        read_points: Mapping[int, str],
        began_us: int,
        epc: bytes | None = None,
        *,
        meant: str | None = None,
        shown: Callable[[str], str] = str,
    ) -> None:
        self.reader = reader
        self.driver = driver
        self.began_us = began_us
        self.antennas: dict[int, AntennaTally] = {}
        self.others = 0
        self.in_force: dict[str, str] = {}
        self._read_points = read_points
        self._epc = epc
        self._meant = meant if epc is None else epc.hex().upper()
        self._shown = shown
        self._device = DeviceInfo()
        self._conditions: dict[tuple[str, str], Condition] = {}
        self._rejected: dict[str, int] = {}
        for antenna_port in read_points:
            self._antenna(antenna_port)

    def take(self, observed: Observation, now_us: int) -> None:
        """Take one observation that was heard at `now_us`."""
        if isinstance(observed, TagReads):
            for row in observed.rows():
                if self._epc is None or row.epc == self._epc:
                    self.hear(row.antenna_port, row.epc, row.count, row.rssi_dbm, now_us)
                else:
                    self.others += row.count
        elif isinstance(observed, CardReads):
            for card in observed.cards:
                self.hear(card.antenna_port, card.identity.text.encode(), 1, None, now_us)
        elif isinstance(observed, Watching):
            self.watch(observed.antenna_ports)
        elif isinstance(observed, DeviceInfo):
            self._device = observed
        elif isinstance(observed, InForce):
            self.in_force |= observed.values
        elif isinstance(observed, Condition):
            key = (observed.name, observed.key)
            if observed.active:
                self._conditions[key] = replace(
                    observed, key=self._shown(observed.key), detail=self._shown(observed.detail)
                )
            else:
                self._conditions.pop(key, None)
        elif isinstance(observed, Rejected):
            self._rejected[observed.reason] = self._rejected.get(observed.reason, 0) + observed.count

    def hear(self, antenna_port: int, tag: bytes, count: int, rssi_dbm: float | None, now_us: int) -> None:
        """Count a row of reads of a tag that is meant, heard at `now_us`."""
        self._antenna(antenna_port).take(tag, count, rssi_dbm, self.second(now_us))

    def watch(self, antenna_ports: Collection[int]) -> None:
        """These antennas are being read now, and no others."""
        for antenna_port in antenna_ports:
            self._antenna(antenna_port)
        for antenna in self.antennas.values():
            antenna.is_watched = antenna.antenna_port in antenna_ports

    def second(self, now_us: int) -> int:
        """Which second of the test it is, from 0."""
        return max(0, now_us - self.began_us) // US_PER_S

    def lines(self, now_us: int) -> list[str]:
        """What a person sees while walking: one line an antenna."""
        second = self.second(now_us)
        lines = [f"{'antenna':<8}{'read point':<20}{'reads/s':>8}{'reads':>9}{'tags':>6}{'dBm':>7}  the last seconds"]
        for antenna in sorted(self.antennas.values(), key=lambda each: each.antenna_port):
            now = max((antenna.reads_by_second.get(each, 0) for each in (second, second - 1)), default=0)
            rssi = "" if antenna.last_rssi_dbm is None else f"{antenna.last_rssi_dbm:.0f}"
            mark = "" if antenna.is_watched else "  not being read"
            lines.append(
                f"{antenna.antenna_port:<8}{antenna.read_point[:19]:<20}{now:>8}{antenna.reads:>9}"
                f"{len(antenna.tags):>6}{rssi:>7}  {antenna.spark(second)}{mark}"
            )
        lines += [f"{each.severity}: {clean(f'{each.name} {each.key}: {each.detail}')}" for each in self._standing()]
        return lines

    def report(self, now_us: int, trouble: str | None = None) -> dict[str, Any]:
        """The report to keep: the test as a JSON-able table."""
        seconds = max(1, -(-(now_us - self.began_us) // US_PER_S))
        silent = [each.read_point for each in self.antennas.values() if not each.reads]
        return {
            "reader": self.reader,
            "driver": self.driver,
            "began_us": self.began_us,
            "seconds": seconds,
            "epc": self._meant,
            "device": {
                "manufacturer": clean(self._device.manufacturer),
                "model": clean(self._device.model),
                "firmware": clean(self._device.firmware),
                "serial": clean(self._device.serial),
            },
            "in_force": {clean(name): clean(value) for name, value in self.in_force.items()},
            "antennas": [each.table(seconds) for _, each in sorted(self.antennas.items())],
            "silent_read_points": silent,
            "reads_of_other_tags": self.others,
            "conditions": [
                {"name": each.name, "key": each.key, "severity": each.severity.value, "detail": clean(each.detail)}
                for each in self._standing()
            ],
            "rejected": self._rejected,
            "trouble": trouble,
        }

    def _standing(self) -> list[Condition]:
        return [condition for _, condition in sorted(self._conditions.items())]

    def _antenna(self, antenna_port: int) -> AntennaTally:
        found = self.antennas.get(antenna_port)
        if found is None:
            name = self._read_points.get(antenna_port, f"{self.reader}-{antenna_port}")
            found = self.antennas[antenna_port] = AntennaTally(antenna_port, name)
        return found


def as_markdown(report: Mapping[str, Any], when: str) -> str:
    """The report as a page that can be printed and signed."""
    device = " ".join(text for text in report["device"].values() if text) or "does not say what it is"
    lines = [
        f"# Walk test of {report['reader']}",
        "",
        f"{when}, {report['seconds']} seconds, driver `{report['driver']}`; device: {device}.",
    ]
    if report["epc"]:
        lines.append(f"Only tag `{report['epc']}` is counted; {report['reads_of_other_tags']} reads were of others.")
    if report["trouble"]:
        lines += ["", f"**Ended early:** {report['trouble']}"]
    lines += [
        "",
        "| antenna | read point | reads | tags | reads/s | best second | weakest | median | strongest dBm | verdict |",
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    for row in report["antennas"]:
        strengths = (row["rssi_dbm_weakest"], row["rssi_dbm_median"], row["rssi_dbm_strongest"])
        cells = [
            row["antenna_port"],
            row["read_point"] + ("" if row["watched"] else " (not read)"),
            row["reads"],
            row["tags"],
            row["reads_per_s"],
            row["best_second_reads"],
            *("" if strength is None else strength for strength in strengths),
            Verdict(row["verdict"]).text,
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    if report["silent_read_points"]:
        lines += ["", f"Nothing was heard at: {', '.join(report['silent_read_points'])}."]
    if report["in_force"]:
        settings = ", ".join(f"{name} = {value}" for name, value in sorted(report["in_force"].items()))
        lines += ["", f"In force on the reader: {settings}."]
    lines += [f"- {each['severity']}: {each['name']} {each['key']} {each['detail']}" for each in report["conditions"]]
    if report["rejected"]:
        lines += ["", f"Thrown away: {', '.join(f'{count} {why}' for why, count in report['rejected'].items())}."]
    lines += ["", "Walked by: ______________________   Tag on: ______________________"]
    return "\n".join(lines) + "\n"
