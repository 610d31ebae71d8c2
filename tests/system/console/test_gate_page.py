import csv
import io
import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.system.console.conftest import Demo

TRUCKS_MS = 90_000
"""The first trucks of the demonstration need a while to the gate."""


def rows_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Transactions").locator("tbody tr")


def open_gate(page: Page, demo: Demo, query: str = "") -> None:
    page.goto(f"{demo.url}/gate{query}")
    expect(rows_of(page).nth(2)).to_be_visible(timeout=TRUCKS_MS)


def test_the_first_look_shows_lanes_and_why_a_truck_may_not_pass(page: Page, demo: Demo) -> None:
    open_gate(page, demo, "?verdict=exceptions")
    expect(page.get_by_role("heading", level=1)).to_have_text("Gate")
    for lane in ("gate-in", "gate-out", "lane-in", "lane-1", "bridge"):
        expect(page.locator(".lane").filter(has_text=lane).first).to_be_visible()
    gate = page.locator(".lane").filter(has_text="gate-in")
    expect(gate.locator(".badge")).to_have_text(re.compile("open|hold|trouble"))
    expect(gate).to_contain_text(re.compile(r"truck-\d+"))
    expect(gate).to_contain_text("ago")
    for row in rows_of(page).all():
        expect(row).to_have_class("exception")
        assert row.get_by_role("cell").nth(5).inner_text(), "an exception says why"


def test_decisions_are_those_that_the_papers_ask_for(page: Page, demo: Demo) -> None:
    open_gate(page, demo)
    with (demo.directory / "customs.csv").open(newline="") as file:
        released = {row["container"]: row["released"] == "true" for row in csv.DictReader(file)}
    answer = page.request.get(f"{demo.url}/api/gate/events?kind=gate&lane=gate/gate-in&limit=200").json()
    known = [event for event in answer["events"] if event["fields"].get("container") in released]
    assert known
    for event in known:
        reasons = event["fields"]["reasons"].split("; ")
        assert ("Not released by customs" in reasons) != released[event["fields"]["container"]]


def test_filters_stand_in_the_address_and_new_trucks_come_by_themselves(page: Page, demo: Demo) -> None:
    open_gate(page, demo)
    before = rows_of(page).first.inner_text()
    page.get_by_role("combobox", name="Lane").select_option("gate/gate-in")
    expect(page).to_have_url(re.compile("lane=gate%2Fgate-in"))
    page.reload()
    expect(page.get_by_role("combobox", name="Lane")).to_have_value("gate/gate-in")
    expect(rows_of(page).first).to_be_visible()
    for row in rows_of(page).all():
        expect(row).to_contain_text("gate-in")
    first = rows_of(page).first.inner_text()
    expect(rows_of(page).first).not_to_have_text(first, timeout=TRUCKS_MS)
    assert before
    page.get_by_label("Plate, container, driver").fill("no such truck")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_the_export_holds_what_is_shown(page: Page, demo: Demo) -> None:
    open_gate(page, demo, "?lane=gate%2Fgate-in")
    address = page.get_by_role("link", name="Export").get_attribute("href")
    assert address is not None
    text = page.request.get(f"{demo.url}{address}").body().decode("utf-8-sig")
    exported = list(csv.DictReader(io.StringIO(text)))
    assert len(exported) >= 1
    assert {row["lane"] for row in exported} == {"gate-in"}
    assert not [value for row in exported for value in row.values() if value.startswith(("=", "@"))]


def test_today_can_be_read_as_a_table(page: Page, demo: Demo) -> None:
    open_gate(page, demo)
    today = page.get_by_role("region", name="Today, hour by hour").first
    expect(today.get_by_role("img")).to_have_accessible_name(
        re.compile(r"Today: \d+ let through or passed, \d+ exceptions")
    )
    today.get_by_text("As a table").click()
    expect(today.get_by_role("row").nth(1)).to_be_visible()


def test_it_is_narrow_and_chinese(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("viewer")
    page.set_viewport_size({"width": 390, "height": 844})
    open_gate(page, demo)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("闸口")
    expect(page.locator(".lane").first).to_contain_text("依据")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
