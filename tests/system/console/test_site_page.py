import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from gateway.contract.batches import StatusBatch, encode
from gateway.contract.events import Alarm, Event, Evidence
from tests.support.broker import Broker, running_broker
from tests.system.console.conftest import Demo
from tests.system.console.lone_console import lone_console, publish

SITE = """
[[reader]]
name = "gate-1"
driver = "llrp"
port = "tls://10.0.0.7"
read_points = { 1 = "yard-1", 2 = "yard-2", 3 = "lane-1-outer", 4 = "lane-1-inner" }

[[zone]]
name = "yard"
read_points = ["yard-1", "yard-2"]

[[portal]]
name = "lane-1"
outer = ["lane-1-outer"]
inner = ["lane-1-inner"]
"""
PLAN = """
[plan]
width_m = 100
height_m = 50
picture = "site.svg"
place = [{ name = "yard", label = "Yard <b>north</b>", x_m = 10, y_m = 10, width_m = 30, height_m = 20 }]
"""
NASTY = "<img src=x onerror=console.error(1)>"
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def url(tmp_path: Path, broker: Broker) -> Iterator[str]:
    with lone_console(tmp_path, broker, SITE) as address:
        yield address


def status(watched: list[str], state: str = "online") -> bytes:
    return encode(StatusBatch(
        gateway="edge-1", device="gate-1", received_at_us=1, state=state, reason="r", since_us=1, watched=watched,
    ))  # fmt: skip


def happened(broker: Broker, kind: str, subject: str, zone: str, **more: str) -> None:
    at_us = time.time_ns() // 1000
    made = Event(id=f"{at_us:020x}", type=kind, at_us=at_us, subject=subject, zone=zone, evidence=EVIDENCE, **more)  # type: ignore[arg-type]  # texts of the event
    publish(broker, f"events/{kind}", msgspec.json.encode(made))


def test_a_place_that_nobody_watches_is_never_called_empty(broker: Broker, url: str, page: Page) -> None:
    page.goto(url)
    yard = page.locator("g.place[data-name='yard']")
    expect(yard).to_contain_text("not heard of yet")
    publish(broker, "gate-1/status", status(["yard-1", "yard-2", "lane-1-outer", "lane-1-inner"]), retain=True)
    expect(yard).to_contain_text("empty")
    happened(broker, "arrived", "AA01", "yard", name="MSKU1234565", read_point="yard-1")
    expect(yard).to_contain_text("1 here")
    publish(broker, "gate-1/status", status(["yard-1"]), retain=True)
    expect(yard).to_contain_text("1 here · 1 of 2 antennas watch")
    publish(broker, "gate-1/status", status([], "offline"), retain=True)
    expect(yard).to_contain_text("not watched · before that: 1 here")
    assert yard.get_attribute("aria-label") == "yard, zone, not watched · before that: 1 here"
    happened(broker, "departed", "AA01", "yard")
    expect(yard).to_have_text(re.compile("yardnot watched(?!.*here)"))
    yard.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nobody watches this place now. Nothing was here when it was watched last.")
    expect(dialog).not_to_contain_text("Nothing is here.")


def test_what_is_there_is_listed_newest_first_and_kept_while_it_is_open(broker: Broker, url: str, page: Page) -> None:
    publish(broker, "gate-1/status", status(["yard-1", "yard-2", "lane-1-outer", "lane-1-inner"]), retain=True)
    for number in range(3):
        happened(broker, "arrived", f"AA0{number}", "yard", name=f"box-{number}")
    happened(broker, "passage", "BB01", "lane-1", name="truck-1", direction="in")
    page.goto(url)
    expect(page.locator("g.place[data-name='lane-1']")).to_contain_text("⇥ truck-1")
    page.locator("g.place[data-name='yard']").click()
    dialog = page.get_by_role("dialog")
    heads = dialog.get_by_role("rowheader")
    expect(heads).to_have_text([re.compile("box-2"), re.compile("box-1"), re.compile("box-0")])
    happened(broker, "departed", "AA01", "yard")
    expect(heads).to_have_text([re.compile("box-2"), re.compile("box-0")])
    expect(dialog.get_by_role("link").first).to_have_attribute("href", re.compile("^/event/[0-9a-f]{20}$"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_alarms_mark_their_places_and_stand_beside_the_plan(broker: Broker, url: str, page: Page) -> None:
    page.goto(url)
    expect(page.get_by_text("No alarm stands.")).to_be_visible()
    alarm = Alarm(
        id="a1", rule="r", severity="critical", subject="yard", state="raised", since_us=1, at_us=1,
        message="A thing is where it should not be", evidence=EVIDENCE,
    )  # fmt: skip
    publish(broker, "alarms/a1", msgspec.json.encode(alarm), retain=True)
    yard = page.locator("g.place[data-name='yard']")
    expect(yard).to_contain_text("⚠ 1")
    expect(yard).to_have_attribute("aria-label", re.compile("1 alarm$"))
    expect(page.get_by_text("A thing is where it should not be")).to_be_visible()
    publish(broker, "alarms/a1", b"", retain=True)
    expect(yard).not_to_contain_text("⚠")


def test_what_devices_and_the_site_file_say_is_text(broker: Broker, tmp_path: Path, page: Page) -> None:
    picture = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 5'><script>console.error(2)</script>"
    (tmp_path / "site.svg").write_text(f"{picture}<rect width='10' height='5' fill='#9ab'/></svg>")
    with lone_console(tmp_path, broker, SITE + PLAN) as url:
        page.goto(url)
        yard = page.locator("g.place[data-name='yard']")
        expect(yard).to_contain_text("Yard <b>north</b>")
        happened(broker, "arrived", NASTY, "yard", name=NASTY)
        expect(yard).to_contain_text("<img src=x")
        expect(page.locator(".feed")).to_have_count(2)
        expect(page.locator("ol.feed")).to_contain_text("<img src=x")
        yard.click()
        expect(page.get_by_role("dialog")).to_contain_text("<img src=x")
        assert page.locator("main img, dialog img, main b b").count() == 0
        assert page.locator("svg.plan image").get_attribute("href") == "/api/site/picture"
        page.close()  # before its console


def test_the_demonstration_has_a_drawn_plan_and_finds_what_is_on_it(page: Page, demo: Demo) -> None:
    page.goto(demo.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Site now")
    expect(page.locator("svg.plan .ground")).to_have_count(1)
    filling = page.locator("g.place[data-name='filling']")
    expect(filling).to_contain_text("pallet-")
    found = re.search(r"pallet-\d{4}", filling.text_content() or "")
    assert found is not None
    page.wait_for_timeout(2000)  # until the journal has it, too
    expect(page.get_by_role("heading", name="What happened last")).to_be_visible()
    page.get_by_label("EPC, name, container, truck, plate, seal or card").fill(found[0])
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Way").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(f"The way of {found[0]}")
    expect(dialog).to_contain_text("filling")
    page.keyboard.press("Escape")
    page.get_by_label("EPC, name, container, truck, plate, seal or card").fill("no such thing")
    page.keyboard.press("Enter")
    expect(page.get_by_text("was seen in the last 30 days")).to_be_visible()


def test_the_places_are_also_a_list_and_all_of_it_fits_a_phone(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(demo.url)
    page.locator("summary", has_text="Places as a list").click()
    row = page.get_by_role("row").filter(has_text="Weighbridge")
    expect(row).to_contain_text("online")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("现场总览")
    expect(page.locator("g.place[data-name='mains']")).to_contain_text("在线")
