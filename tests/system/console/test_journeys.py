"""What people come for, from the first look to the end, on the running demonstration."""

import asyncio
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.config.models import Mqtt
from gateway.contract.events import Alarm, decode_alarm
from gateway.mqtt import session
from tests.system.console.conftest import Demo
from tests.system.console.test_gate_page import open_gate, rows_of

DEVICE, POINT = "feeder-7", "relay"
VERIFIED_MS = 60_000
PAUSE_MS = 6_000
"""The gateway wants 5 s between two orders to one point, and the demonstration orders, too."""
TRIES = 10
EXPIRED_MS = 75_000
WHY_MS = 120_000
RETAINED_WITHIN_S = 20.0
COMMENT = "Patrol 3 is on the way <b>now</b> 巡逻"


def retained_alarm(demo: Demo, alarm: str, is_wanted: Callable[[Alarm], bool]) -> Alarm:
    """What the broker keeps of an alarm, once it is as wanted."""
    settings = tomllib.loads((demo.directory / "site.toml").read_text())

    async def hear() -> Alarm:
        broker = Mqtt(host="127.0.0.1", port=settings["mqtt"]["port"])
        topic = f"tagwharf/1/{settings['site']['name']}/alarms/{alarm}"
        async with asyncio.timeout(RETAINED_WITHIN_S):
            async with session(broker, client_id="journey", topics=[topic]) as ours:
                while True:
                    found = decode_alarm((await ours.receive()).payload)
                    if is_wanted(found):
                        return found

    with ThreadPoolExecutor(1) as thread:  # in ours runs the loop of the browser
        return thread.submit(lambda: asyncio.run(hear())).result()


def card(page: Page) -> Locator:
    return page.locator("section.point").filter(has=page.get_by_role("heading", name=f"{DEVICE} · {POINT}"))


def arm(page: Page, action: str, reason: str) -> Locator:
    """Arm it, once somebody else's order and the pause after it are over; the dialogue in which it may be confirmed."""
    dialog = page.get_by_role("dialog")
    for _ in range(TRIES):
        card(page).get_by_role("button", name=f"{action}…").click()
        dialog.get_by_label("Why").fill(reason)
        dialog.get_by_role("button", name="Arm", exact=True).click()
        armed = dialog.get_by_role("heading", name=re.compile("^ARMED:"))
        too_soon = dialog.get_by_text(re.compile("^(too soon or too often|an order holds it)"))
        expect(armed.or_(too_soon)).to_be_visible(timeout=VERIFIED_MS)
        if armed.is_visible():
            return dialog
        dialog.get_by_role("button", name="Close").click()
        page.wait_for_timeout(PAUSE_MS)
    pytest.fail(f"{action}: there was always another order just before")


@pytest.fixture
def second(page: Page) -> Iterator[Page]:
    """Another tab of the same person."""
    made = page.context.new_page()
    yield made
    made.close()


def test_an_order_that_is_left_alone_expires_while_an_alarm_is_seen_to(
    page: Page, second: Page, demo: Demo, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/control")
    armed = arm(page, "Trip", "called away")
    before = card(page).inner_text()
    assert before

    second.goto(f"{demo.url}/alarms?text=unknown-card&state=unseen")
    row = second.get_by_role("region", name=re.compile("Alarms that stand")).locator("tbody tr").first
    row.wait_for()
    row.get_by_role("link").first.click()
    expect(second).to_have_url(re.compile("/alarms/[0-9a-f]{20}$"))
    alarm = second.url.rpartition("/")[2]
    assert retained_alarm(demo, alarm, lambda _: True).acknowledged_by is None
    second.get_by_role("button", name="Handle …").click()
    dialog = second.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Comment")).fill(COMMENT)
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(second.locator(".changes li").first).to_contain_text("Acknowledged by operator")
    kept = retained_alarm(demo, alarm, lambda found: found.acknowledged_by is not None)
    assert (kept.acknowledged_by, kept.comment, kept.state) == ("operator", COMMENT, "raised")

    expect(armed).to_contain_text(re.compile("expired|not confirmed in time"), timeout=EXPIRED_MS)
    expect(armed.get_by_role("button", name=re.compile("^Confirm"))).to_have_count(0)
    armed.get_by_role("button", name="Close").click()
    expect(card(page)).to_contain_text("expired")


def test_a_feeder_is_tripped_and_closed_and_the_meter_shows_it(
    page: Page, demo: Demo, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/control")
    for action in ("Trip", "Permit closing", "Close"):
        dialog = arm(page, action, f"journey: {action}")
        confirm = dialog.get_by_role("button", name=re.compile(f"^Confirm: {action}"))
        typed = dialog.get_by_label("Type the name")
        if typed.count():
            typed.fill(POINT)
        expect(confirm).to_be_enabled()
        confirm.dblclick()
        expect(dialog).to_contain_text(re.compile("Done, and the device shows it|It was done"), timeout=VERIFIED_MS)
        dialog.get_by_role("button", name="Close", exact=True).click()
        expect(card(page)).to_contain_text("verified")
        page.wait_for_timeout(PAUSE_MS)
    page.goto(f"{demo.url}/audit")
    for action in ("Trip", "Close"):
        rows = page.get_by_role("row").filter(has_text=f"journey: {action}")
        expect(rows.first).to_contain_text("operator")


def test_a_truck_from_the_list_to_its_evidence_to_the_reason(
    page: Page, demo: Demo, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    open_gate(page, demo, "?verdict=exceptions&lane=gate%2Fgate-in")
    row = rows_of(page).first
    row.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/event/[0-9a-f]{20}$"))
    expect(page.locator(".verdict-line .badge")).to_be_visible()
    page.locator("section").filter(has=page.locator(".timeline")).get_by_text("As a table").click()
    expect(page.get_by_role("region", name="Raw reads and signals")).to_contain_text("dBm")
    page.get_by_role("button", name="Ask the rules").click()
    expect(page.locator(".trace-lines .trace-line").nth(2)).to_be_visible(timeout=WHY_MS)


def test_live_reads_of_some_tags_only(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/reads")
    rows = page.locator("tbody tr:not([hidden])")
    rows.nth(3).wait_for()
    page.get_by_label("EPC mask").fill("3316*")
    page.get_by_role("button", name="Show these").click()
    expect(page).to_have_url(re.compile(r"mask=3316"))
    ends_s = time.monotonic() + 3
    while time.monotonic() < ends_s:
        found = rows.evaluate_all("(all) => all.map((row) => row.querySelector('button').textContent)")
        assert [epc for epc in found if not epc.startswith("3316")] == []
        page.wait_for_timeout(250)
    assert rows.count() > 0
