"""Runs a walk test on a reader: the driver talks, a person looks, a report is kept."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.commissioning.probe import driver_of, fault_of
from gateway.commissioning.walktest import WalkTest, as_markdown
from gateway.config.models import Reader
from gateway.identity import Identities, hides_numbers, redacted
from gateway.links import open_link
from readers import registry
from readers.errors import ReaderBusyError, ReaderError

OPEN_WITHIN_S: Final = 15.0
SHOW_EVERY_S: Final = 0.25
_NS_PER_US: Final = 1_000
_BUSY: Final = "; stop the edge daemon, or whoever else holds this reader, and walk again"


def walk(
    reader: Reader,
    duration_s: float | None,
    epc: bytes | None,
    report: Path | None,
    screen: Console | None = None,
    *,
    identities: Identities | None = None,
) -> bool:
    """Show the test until its time is over or Ctrl-C; False when the reader gave trouble.

    `identities` are how the site names cards: by their numbers only where that is set.

    Raises:
        OSError: the report cannot be written.
    """
    screen = screen or Console()
    if report is not None:
        report.touch(exist_ok=False)  # a walk must not be in vain
    shown = redacted if hides_numbers(registry.driver(reader.driver).kind, identities) else str
    test = WalkTest(reader.name, reader.driver, reader.read_points, _now_us(), epc, shown=shown)
    trouble = asyncio.run(_talk(reader, test, duration_s, screen, identities))
    trouble = None if trouble is None else shown(trouble)
    ended_us = _now_us()
    screen.print(Text("\n".join(test.lines(ended_us))))
    if trouble is not None:
        screen.print(Text(f"ended early: {trouble}"))
    if report is not None:
        table = test.report(ended_us, trouble)
        when = datetime.fromtimestamp(test.began_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        text = json.dumps(table, indent=2) + "\n" if report.suffix == ".json" else as_markdown(table, when)
        report.write_text(text, encoding="utf-8")
        screen.print(Text(f"written to {report}"))
    return trouble is None


async def _talk(
    reader: Reader, test: WalkTest, duration_s: float | None, screen: Console, identities: Identities | None
) -> str | None:
    """Run the driver and the screen until the end; returns what went wrong."""
    try:
        port = await asyncio.wait_for(open_link(reader), OPEN_WITHIN_S)
    except TimeoutError:
        return f"{reader.port} did not open within {OPEN_WITHIN_S:.0f} s; check address and cable"
    except ReaderError as error:
        return str(error)
    test.began_us = _now_us()
    talking = asyncio.create_task(driver_of(reader).run(port, lambda observed: test.take(observed, _now_us())))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    ends_s = None if duration_s is None else loop.time() + duration_s
    try:
        with Live(console=screen, refresh_per_second=1 / SHOW_EVERY_S, transient=True) as live:
            while not (stop.is_set() or talking.done() or (ends_s is not None and loop.time() >= ends_s)):
                live.update(Text("\n".join(test.lines(_now_us()))))
                await asyncio.wait({talking}, timeout=SHOW_EVERY_S)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        ended = talking.done()
        talking.cancel()
        (end,) = await asyncio.gather(talking, return_exceptions=True)
        await port.close()
    if not ended:
        return None
    if isinstance(end, ReaderError):
        return f"{end}{_BUSY if isinstance(end, ReaderBusyError) else ''}"
    raise fault_of(reader, end, identities)


def _now_us() -> int:
    return time.time_ns() // _NS_PER_US
