"""Takes the pictures: `python -m tests.pictures [--out docs/pictures] [--only boards|console] [--demo-s 180]`."""

from __future__ import annotations

import argparse
import asyncio
import base64
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from gateway.boards.catalogue import boards
from gateway.broker import free_port
from tests.pictures.console import CONSOLE, take_console
from tests.support.board_answers import Asking, shown
from tests.support.board_day import HOUR_S, SITE, US, Day
from tests.support.board_store import DATABASE, DEMO_SITE, store
from tests.support.servers import Influx, influxd

HERE: Final = Path(__file__).parent
OUT: Final = Path("docs/pictures")
HOURS: Final = 26
WIDE: Final = 1600
PHONE: Final = 400
MOST_OF_A_PHONE: Final = 2000
"""Pixels: who scrolls on sees more of the same."""
MOST_BYTES: Final = 250_000
OF_THE_DEMO: Final = {"platform"}
"""Boards of what daemons measure of themselves: virtual time has none."""


@dataclass(frozen=True, slots=True)
class Look:
    """One picture of a board."""

    file: str
    path: str
    width: int = WIDE


LOOKS: Final = (
    *(Look(f"board-{path[3:-5]}", path) for path in boards() if path.startswith("en/")),
    Look("board-overview-phone", "en/overview.json", PHONE),
    Look("board-power-zh", "zh/power.json"),
)


@contextmanager
def playing(influx: Influx, directory: Path, port: int) -> Iterator[None]:
    """The demonstration, until the end of the block."""
    command = [sys.executable, "-m", "tests.pictures.play", influx.url, str(directory), str(port)]
    with (directory.parent / "demo.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def draw(browser: Browser, influx: Influx, look: Look, demo_s: float, out: Path) -> None:
    """One picture of a board."""
    board: dict[str, Any] = boards()[look.path]
    end_ms = time.time_ns() // US
    is_demo = look.path[3:-5] in OF_THE_DEMO
    span_ms = round(demo_s * 1000) if is_demo else 24 * HOUR_S * 1000
    site = DEMO_SITE if is_demo else SITE
    asking = Asking(influx, DATABASE, end_ms - span_ms, end_ms, {"site": (site,)}).opened(board)
    answers = {}
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        frames = asking.frames(panel)
        from_ms, to_ms = asking.span(panel)
        numbers = shown(panel, frames) if "reduceOptions" in panel["options"] else {}
        answers[panel["id"]] = {
            "frames": [asdict(frame) for frame in frames],
            "numbers": numbers,
            "from_ms": from_ms,
            "to_ms": to_ms,
        }
    page = browser.new_page(viewport={"width": look.width, "height": 900}, color_scheme="dark")
    page.set_content((HERE / "boards.html").read_text())
    page.add_script_tag(path=HERE / "boards.js")
    page.evaluate("([board, answers, chosen]) => drawBoard(board, answers, chosen)", [board, answers, site])
    tall = page.evaluate("document.documentElement.scrollHeight")
    high = min(tall, MOST_OF_A_PHONE) if look.width == PHONE else tall
    page.set_viewport_size({"width": look.width, "height": high})
    save(browser, page.screenshot(), out / f"{look.file}.png")
    page.close()


def save(browser: Browser, taken: bytes, path: Path) -> None:
    """Write it with a palette; raises ValueError when it is larger than a picture of the documentation may be."""
    page = browser.new_page()
    page.add_script_tag(path=HERE / "palette.js")
    picture = base64.b64decode(page.evaluate("(picture) => withPalette(picture)", base64.b64encode(taken).decode()))
    page.close()
    if len(picture) > MOST_BYTES:
        raise ValueError(f"{path.name} has {len(picture)} bytes; at most {MOST_BYTES}")
    path.write_bytes(picture)


def main() -> int:
    """Take all pictures, or a part of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", choices=("boards", "console"))
    parser.add_argument("--demo-s", type=float, default=180.0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: tests/system/install_servers.sh installs it")
    with tempfile.TemporaryDirectory(prefix="tagwharf-pictures-") as kept:
        directory, port = Path(kept), free_port()
        (directory / "day").mkdir()
        with influxd(directory / "influx") as influx:
            influx.create_database(DATABASE)
            began_s = time.monotonic()
            with playing(influx, directory / "demo", port):
                if asked.only != "console":
                    asyncio.run(store(influx, Day(directory / "day", time.time_ns() // 1000, HOURS).lines()))
                time.sleep(max(0.0, asked.demo_s - (time.monotonic() - began_s)))
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                    if asked.only != "console":
                        for look in LOOKS:
                            draw(browser, influx, look, asked.demo_s, asked.out)
                    if asked.only != "boards":
                        password = (directory / "demo" / "console-password.txt").read_text()
                        for name, picture in take_console(browser, f"http://127.0.0.1:{port}", password, CONSOLE):
                            save(browser, picture, asked.out / f"{name}.png")
                    browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
