import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from gateway.contract.events import event_id
from gateway.control.audit import records
from tests.system.console.conftest import Demo
from tests.system.console.test_gate_page import TRUCKS_MS, open_gate

WHY_MS = 120_000
LOOK_MS = 500
WORDS = {
    "sending": "sent",
    "verified": "carried out, read back",
    "refused": "refused",
    "failed": "failed",
    "unknown": "not",
}


def command_of(event: dict[str, Any]) -> str:
    """The command by which the order `raise-in` of the demonstration answers a decision."""
    return event_id("order", "raise-in", event["id"])


def decision(page: Page, demo: Demo, query: str) -> dict[str, Any]:
    """One of the newest; waits until two came, so that what follows the older one is there."""
    open_gate(page, demo)
    for _ in range(TRUCKS_MS // LOOK_MS):
        found: list[dict[str, Any]] = page.request.get(f"{demo.url}/api/gate/events?{query}").json()["events"]
        if len(found) > 1:
            return found[min(2, len(found) - 1)]
        page.wait_for_timeout(LOOK_MS)
    raise AssertionError(f"the demonstration had no {query}")


def test_a_truck_that_may_pass_has_reads_weight_look_ups_and_the_order(page: Page, demo: Demo) -> None:
    event = decision(page, demo, "lane=gate/gate-in&verdict=open")
    page.goto(f"{demo.url}/event/{event['id']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(event["fields"]["container"])
    expect(page.locator(".verdict-line .badge")).to_have_text("✓ open")
    read = page.get_by_role("region", name="What was read, and how sure")
    expect(read.get_by_role("row").filter(has_text="truck").first).to_contain_text(event["fields"]["truck_epc"])
    weighed = page.locator("section").filter(has=page.get_by_role("heading", name="Weight against declared"))
    expect(weighed).to_contain_text("within what is allowed")
    expect(page.get_by_role("region", name="Looked up")).to_contain_text(event["fields"]["customs_version"])
    became = [
        record.outcome for record in records(demo.directory / "state", 1_000) if record.outcome.id == command_of(event)
    ]
    orders = page.get_by_role("region", name="Orders")
    for outcome in became:  # on a busy machine the truck may have gone before its barrier rises
        expect(orders).to_contain_text(WORDS[outcome.state])
        expect(orders).to_contain_text(outcome.detail)
    assert became
    assert page.locator(".timeline .tick").count() > 0
    expect(page.locator(".timeline svg")).to_have_accessible_name(re.compile(r"Time line from .* reads"))
    page.locator("section").filter(has=page.locator(".timeline")).get_by_text("As a table").click()
    expect(page.get_by_role("region", name="Raw reads and signals")).to_contain_text("dBm")


def test_a_truck_that_is_held_says_why_and_got_no_order(page: Page, demo: Demo) -> None:
    event = decision(page, demo, "lane=gate/gate-in&verdict=hold")
    page.goto(f"{demo.url}/event/{event['id']}")
    for reason in event["fields"]["reasons"].split("; "):
        expect(page.locator(".verdict-card")).to_contain_text(reason)
    expect(page.get_by_text("carried out, read back")).to_have_count(0)


def test_before_and_after_and_an_address_that_can_be_sent_on(page: Page, demo: Demo) -> None:
    event = decision(page, demo, "lane=gate/gate-out")
    page.goto(f"{demo.url}/event/{event['id']}")
    page.get_by_role("link", name="after,").click()
    expect(page).not_to_have_url(re.compile(event["id"]))
    page.get_by_role("link", name="before,").click()
    expect(page).to_have_url(re.compile(event["id"]))
    expect(page.locator(".verdict-card code")).to_have_text(event["id"])
    page.go_back()
    expect(page.locator(".verdict-card code")).not_to_have_text(event["id"])


def test_other_events_have_their_page_too(page: Page, demo: Demo) -> None:
    open_gate(page, demo)
    for kind in ("portal", "access", "scale"):
        found = page.request.get(f"{demo.url}/api/gate/events?kind={kind}&limit=1").json()["events"]
        page.goto(f"{demo.url}/event/{found[0]['id']}")
        expect(page.locator(".verdict-card code")).to_have_text(found[0]["id"])
        expect(page.get_by_text(re.compile(r"Reads: [\d,]+, .* Batches: [1-9]"))).to_be_visible()


def test_an_event_that_is_not_there_says_what_that_may_mean(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/event/{'0' * 20}")
    expect(page.get_by_role("heading", level=2)).to_have_text("There is no such event here")
    expect(page.get_by_text("older than what the journal keeps")).to_be_visible()
    page.goto(f"{demo.url}/event/%3Cimg%20src=x%20onerror=alert(1)%3E")
    expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert page.locator("main img").count() == 0


def test_it_prints_without_the_frame(page: Page, demo: Demo) -> None:
    event = decision(page, demo, "kind=receipts&lane=gate/gate-in")
    page.goto(f"{demo.url}/event/{event['id']}")
    expect(page.locator(".timeline svg")).to_be_visible()
    page.emulate_media(media="print")
    for hidden in ("#menu", "#tools", ".event-bar", ".why-card", ".around-card"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator(".printed")).to_contain_text(event["id"])
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")


def test_an_operator_asks_why(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    event = decision(page, demo, "lane=gate/gate-in&verdict=hold")
    page.goto(f"{demo.url}/event/{event['id']}")
    expect(page.get_by_text("Operators may ask the rules why.")).to_be_visible()
    log_in("operator")
    page.goto(f"{demo.url}/event/{event['id']}")
    page.get_by_role("button", name="Ask the rules").click()
    expect(page.get_by_text("The rules are being played again")).to_be_visible()
    expect(page.locator(".trace-lines")).to_contain_text(event["fields"]["reasons"].split("; ")[0], timeout=WHY_MS)
