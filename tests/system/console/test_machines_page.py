import re

from playwright.sync_api import Page, expect

from tests.system.console.conftest import Demo


def test_a_machine_is_seen_at_a_glance(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/machines")
    expect(page.get_by_role("heading", level=1)).to_have_text("Machines")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="warper-1"))
    expect(card).to_contain_text(re.compile("running|held"))
    expect(card).to_contain_text(re.compile(r"good [\d,]+ m"))
    signals = page.get_by_role("region", name="Signals now")
    expect(signals.get_by_role("row").filter(has_text="speed")).to_contain_text("m/min")


def test_its_past_is_drawn_and_told(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/machines/warper-1")
    past = page.get_by_role("region", name="warper-1", exact=True)
    expect(past.get_by_role("img", name="What warper-1 did")).to_be_visible()
    expect(past).to_contain_text(re.compile("held · "))
    past.get_by_text("As a table").click()
    expect(past.locator("tbody tr").filter(has_text="held").first).to_be_visible()
    with page.expect_response(re.compile(r"/api/machines/books\?")) as asked:
        past.get_by_role("button", name="7 d").click()
    assert asked.value.ok
    expect(page.get_by_role("region", name="OEE by shift").first).to_contain_text("no calendar of shifts")


def test_it_tells_the_stops_that_the_books_have(page: Page, demo: Demo) -> None:
    with page.expect_response(re.compile(r"/api/machines/books\?")) as asked:
        page.goto(f"{demo.url}/machines")
    books = asked.value.json()
    reasons = [each["reason"] for each in books["reasons"] if each["stood_s"] or each["stops"]]
    told = page.get_by_role("region", name="Why it stood").last.locator("tbody").first.locator("th")
    expect(told).to_have_text(reasons)
    stopped = [event for event in books["stops"] if event["type"] == "machine_stopped"]
    expect(page.get_by_role("region", name="Stops, newest first").locator("tbody tr")).to_have_count(len(stopped))
    if not stopped:
        expect(page.get_by_text("It did not stand in this time.").first).to_be_visible()


def test_it_speaks_chinese(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/machines")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("机台")
    expect(page.get_by_role("heading", level=2, name="停机原因")).to_be_visible()
