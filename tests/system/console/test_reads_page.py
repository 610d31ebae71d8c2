import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.contract.batches import ReadBatch, StatusBatch, TagRead, encode
from gateway.mqtt import session
from tests.support.broker import Broker, running_broker
from tests.system.console.conftest import Demo
from tests.system.console.lone_console import lone_console, publish

CONTAINER = "54570161FF90AE3C0ECD046A"
NASTY = "<img src=x onerror=console.error('markup')>"

BATCHES_PER_S, READS_IN_BATCH = 20, 12
MATCHED_PER_S = BATCHES_PER_S * READS_IN_BATCH
WINDOW_S = 5.0
WINDOWS = 4
"""Whatever else runs on the machine only adds gaps: the best of so many windows is what the page itself can do."""
MEDIAN_MS, P99_MS = 20.0, 50.0
"""Chromium draws every 16.7 ms: half of the frames come when they are due, and 99 of 100 miss two at most."""
BUSY_MOST = 0.3
"""Of the time in which the page's own thread works on it, with the software rendering of a browser without display."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def url(tmp_path: Path, broker: Broker) -> Iterator[str]:
    with lone_console(tmp_path, broker) as address:
        yield address


def a_batch(*reads: TagRead, device: str = "gate-1") -> bytes:
    return encode(ReadBatch(gateway="edge-1", device=device, received_at_us=time.time_ns() // 1000, reads=list(reads)))


def a_read(epc: str, **more: object) -> TagRead:
    seen_at_us = time.time_ns() // 1000
    fields = {
        "antenna_port": 1,
        "read_point": "in",
        "seen_at_us": seen_at_us,
        "rssi_dbm": -60.0,
        "pc_bits": 0x3000,
        **more,
    }
    return TagRead(epc, **fields)  # type: ignore[arg-type]  # the fields of the test


@contextmanager
def fed(broker: Broker) -> Iterator[None]:
    """Reads, evenly, until the body ends; half of them match nothing that the page asks for."""
    is_over = threading.Event()

    async def send() -> None:
        async with session(broker.settings, client_id="feed") as ours:
            due_s, number = time.monotonic(), 0
            while not is_over.is_set():
                for prefix in ("3034", "E280"):
                    reads = [a_read(f"{prefix}{number + n:020X}") for n in range(READS_IN_BATCH)]
                    await ours.send("tagwharf/1/site/gate-1/reads", a_batch(*reads))
                number += READS_IN_BATCH
                due_s += 1 / BATCHES_PER_S
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    feeding = threading.Thread(target=lambda: asyncio.run(send()))
    feeding.start()
    try:
        yield
    finally:
        is_over.set()
        feeding.join()


def test_reads_come_are_filtered_and_stand_still_when_told_to(broker: Broker, url: str, page: Page) -> None:
    page.goto(f"{url}/reads")
    expect(page.get_by_text("No tag has been read since the console began")).to_be_visible()
    publish(
        broker, "gate-1/reads", a_batch(a_read(CONTAINER), a_read("E280" + "0" * 20, rssi_dbm=-80.5, antenna_port=2))
    )
    rows = page.locator("tbody tr:not([hidden])")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("-80.5 dBm")

    page.get_by_label("EPC mask").fill("xyz")
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("alert")).to_contain_text("'XYZ' is no EPC mask")
    page.get_by_label("EPC mask").fill("5457*")
    page.get_by_label("RSSI at least, dBm").fill("-70")
    page.get_by_role("button", name="Show these").click()
    expect(rows).to_have_count(1)
    assert "mask=5457" in page.url

    page.get_by_role("button", name="Pause").click()
    publish(broker, "gate-1/reads", a_batch(*[a_read(CONTAINER) for _ in range(3)], a_read("E280" + "0" * 20)))
    expect(page.get_by_text("Paused. 3 more have matched meanwhile.")).to_be_visible()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Go on").click()
    expect(rows).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as JSON lines").click()
    lines = download.value.path().read_text().splitlines()
    assert [json.loads(line)["epc"] for line in lines] == [CONTAINER] * 4


def test_a_click_on_a_read_tells_what_the_tag_says(broker: Broker, url: str, page: Page) -> None:
    page.goto(f"{url}/reads")
    publish(broker, "gate-1/reads", a_batch(a_read(CONTAINER)))
    page.get_by_role("button", name="5457 0161").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The event journal knows no event of this tag yet.")
    expect(dialog.get_by_role("heading", name="What the tag says")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_what_devices_say_is_text(broker: Broker, url: str, page: Page) -> None:
    status = StatusBatch(
        gateway=NASTY, device=NASTY, received_at_us=1, state=NASTY, reason=NASTY, since_us=1, detail=NASTY
    )
    publish(broker, "gate-1/status", encode(status))
    publish(broker, "gate-1/reads", a_batch(a_read(NASTY, read_point=NASTY, tid=NASTY), device=NASTY))
    page.goto(f"{url}/reads")
    row = page.locator("tbody tr:not([hidden])")
    expect(row).to_contain_text("<img src=x onerror")
    row.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its code belongs to no scheme that is known")
    page.keyboard.press("Escape")
    page.goto(f"{url}/reads?device={NASTY}")
    expect(page.get_by_label("Device")).to_have_value(NASTY)
    assert page.locator("#page img").count() == 0


def test_as_many_reads_as_a_busy_gate_has_cost_no_frames(broker: Broker, url: str, page: Page) -> None:
    page.goto(f"{url}/reads?mask=3034*")
    page.locator("tbody").wait_for(state="attached")
    page.evaluate(
        """() => {
          window.gaps = []; window.changed = 0;
          new MutationObserver((all) => { window.changed += all.length; })
            .observe(document.querySelector("tbody"), { childList: true });
          let last = performance.now();
          const frame = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(frame); };
          requestAnimationFrame(frame);
        }"""
    )
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def busy_s() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    measured = []
    with fed(broker):
        expect(page.locator("tbody tr:not([hidden])")).to_have_count(60)
        page.wait_for_timeout(2000)
        for _ in range(WINDOWS):
            page.evaluate("window.gaps.length = 0")
            before_s, began_s = busy_s(), time.monotonic()
            page.wait_for_timeout(WINDOW_S * 1000)
            gaps = sorted(page.evaluate("window.gaps"))
            busy = (busy_s() - before_s) / (time.monotonic() - began_s)
            median_ms, p99_ms = gaps[len(gaps) // 2], gaps[len(gaps) * 99 // 100]
            measured.append((round(median_ms, 1), round(p99_ms, 1), round(gaps[-1], 1), round(busy, 3)))
            if median_ms <= MEDIAN_MS and p99_ms <= P99_MS and busy <= BUSY_MOST:
                break
        else:
            pytest.fail(f"median, 99 of 100, longest gap in ms; share of time at work: {measured}")
        rate = re.search(r"(\d+) matching reads/s", page.locator(".running").inner_text())
        assert rate is not None
        assert int(rate[1]) >= 0.8 * MATCHED_PER_S
    print("median, 99 of 100, longest gap in ms; share of time at work:", measured)  # noqa: T201 - shown with -s
    assert page.locator("tbody tr").count() == 60
    assert page.evaluate("window.changed") == 0  # rows are used again, never made


def test_the_demonstration_is_heard_live(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/reads?scheme=grai-96")
    row = page.locator("tbody tr:not([hidden])").first
    expect(row).to_contain_text("3316")
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("urn:epc:id:grai:")
    expect(dialog.get_by_role("link").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("实时读取")
