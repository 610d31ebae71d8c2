"""A store that boards are asked on: filled by the demonstration, and by a day of another site in virtual time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config.models import InfluxSink
from gateway.demo.run import DemoSettings, run
from rules.sinks.influx_http import V1Writer
from tests.support.board_answers import Asking
from tests.support.board_day import HOUR_S, US, Day, Truth
from tests.support.servers import Influx, influxd

DATABASE: Final = "boards"
DEMO_SITE: Final = "jiangyin"
LINES_AT_ONCE: Final = 5000
STORED: Final = 204


@dataclass(frozen=True, slots=True)
class Filled:
    """The store, and what is true of it.

    Attributes:
        truth: of the day; report: of the demonstration, with what was true and what it concluded.
        end_ms: nothing is later than this.
    """

    influx: Influx
    truth: Truth
    hours: int
    report: dict[str, Any]
    end_ms: int

    def asking(self, site: str | None = None, *, hours: float | None = None, later_ms: int = 0) -> Asking:
        """A look at all of it, or at the last hours; of one site, or of all."""
        span_ms = round((hours or self.hours + 1) * HOUR_S * 1000)
        chosen = {} if site is None else {"site": (site,)}
        end_ms = self.end_ms + later_ms
        return Asking(self.influx, DATABASE, end_ms - span_ms, end_ms, chosen)


@contextmanager
def filled(directory: Path, *, demo_s: float, hours: int) -> Iterator[Filled]:
    """Start InfluxDB, play the demonstration for so long into it, and write the last hours of the other site."""
    with influxd(directory / "influx") as influx:
        influx.create_database(DATABASE)
        report = play_demo(influx, directory, demo_s)
        day = Day(_made(directory / "day"), time.time_ns() // 1000, hours)
        asyncio.run(store(influx, day.lines()))
        yield Filled(influx, day.truth, hours, report, time.time_ns() // US)


def play_demo(influx: Influx, directory: Path, demo_s: float) -> dict[str, Any]:
    """Its report; the product's daemons write to InfluxDB as to any of version 1."""
    report = directory / "report.json"
    run(
        DemoSettings(
            duration_s=demo_s,
            report=report,
            influx=influx.url,
            influx_api="v1",
            influx_bucket=DATABASE,
            console_port=0,
            keep=directory / "demo",
        )
    )
    made: dict[str, Any] = json.loads(report.read_text())
    return made


async def store(influx: Influx, parts: Iterable[list[str]]) -> None:
    """Write lines by the writer of the sink."""
    settings = InfluxSink(kind="influxdb", name="boards", url=influx.url, api="v1", bucket=DATABASE)
    writer = V1Writer(settings, None)
    waiting: list[str] = []
    try:
        for part in parts:
            waiting += part
            if len(waiting) >= LINES_AT_ONCE:
                await _post(writer, waiting)
                waiting = []
        if waiting:
            await _post(writer, waiting)
    finally:
        await writer.close()


async def _post(writer: V1Writer, lines: list[str]) -> None:
    answer = await writer.post("\n".join(lines).encode())
    assert answer.status == STORED, answer


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
