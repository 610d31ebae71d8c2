import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.contract.batches import Condition, ReadBatch, StatusBatch, TagRead, encode
from tests.support.broker import Broker, running_broker
from tests.system.console.conftest import Demo
from tests.system.console.lone_console import lone_console, publish

NASTY = "<img src=x onerror=console.error('markup')>"
READER = """
[[reader]]
name = "gate"
driver = "m100"
port = "tcp://127.0.0.1:4001"
read_points = { 1 = "in" }
settings = { tx_power_dbm = 20.0 }
"""
PHONE = {"width": 390, "height": 844}


def test_all_devices_stand_in_the_list_and_can_be_found(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices")
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    region = page.get_by_role("region", name="Devices")
    row = region.get_by_role("row").filter(has=page.get_by_role("link", name="gate-1", exact=True))
    expect(row).to_contain_text("online")
    expect(row).to_contain_text("2 of 2")
    expect(row).to_contain_text("tag reader · llrp")
    every = region.get_by_role("link").count()
    assert every > 20
    tile = page.locator(".tile").filter(has_text=re.compile("^online"))
    assert int(tile.locator("dd").inner_text()) <= every
    page.get_by_label("kind").select_option("meter")
    expect(region.get_by_role("link", name="gate-1", exact=True)).to_have_count(0)
    page.get_by_label("Search").fill("crane")
    expect(region.get_by_role("link")).to_have_text(["crane-1", "crane-2"])
    page.get_by_label("Search").fill("no such device")
    expect(page.get_by_text("No device matches this filter.")).to_be_visible()
    page.get_by_label("Search").fill("")
    region.get_by_role("button", name="device").click()
    names = region.get_by_role("link").all_inner_texts()
    assert names == sorted(names)


def test_one_device_tells_what_it_is_and_what_it_took(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices/booth")
    expect(page.get_by_role("heading", level=1)).to_have_text("booth")
    expect(page.get_by_text("MagicRF", exact=True)).to_be_visible()
    power = page.get_by_role("region", name="Settings").get_by_role("row").filter(has_text="tx_power_dbm")
    expect(power).to_have_text(re.compile("18.*18.*confirmed"))
    expect(page.get_by_role("region", name="Antennas").get_by_role("row").filter(has_text="desk")).to_contain_text(
        "yes"
    )
    expect(page.get_by_role("img", name=re.compile("changes of state"))).to_be_visible()
    expect(page.locator(".state-shares")).to_contain_text("online")
    reads = page.get_by_role("region", name="Last reads").locator("tbody tr")
    expect(reads.first).to_contain_text("desk")


def test_a_line_and_a_meter_lead_to_each_other(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices/substation")
    behind = page.get_by_role("region", name="Devices behind this line")
    expect(behind.get_by_role("link")).to_have_count(8)
    behind.get_by_role("link", name="crane-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("crane-1")
    expect(page.get_by_role("region", name="Last readings")).to_contain_text("active_power")
    page.get_by_role("link", name="substation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("substation")


def test_a_device_that_the_site_file_does_not_name_is_told_from_one_that_it_does(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    expect(page.get_by_role("heading", level=1)).to_have_text("<script>alert(1)</script>")
    expect(page.get_by_text("This device is not in the site file")).to_be_visible()
    page.goto(f"{demo.url}/devices/gate-scale/walk")
    expect(page.get_by_text("A walk test needs a reader of tags or cards")).to_be_visible()


def test_a_walk_is_walked_on_a_phone_survives_a_reload_and_is_taken_home(
    page: Page, demo: Demo, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto(f"{demo.url}/devices/gate-tags")
    page.get_by_role("link", name="Walk test").click()
    mask = page.get_by_label("Only tags with this EPC")
    mask.fill("no hex")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("alert").filter(has_text="is no EPC mask")).to_be_visible()
    mask.fill("")
    page.get_by_role("button", name="Begin").click()
    antenna = page.locator(".walk-antenna").filter(has_text="gate-in-tags")
    total = antenna.locator(".walk-facts dd").last
    expect(total).to_have_text(re.compile(r"[1-9]"))
    expect(antenna).to_contain_text("dBm")
    expect(page.get_by_role("img", name=re.compile("of the last two minutes"))).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.walk-big')).fontSize)") >= 40
    page.reload()
    stop = page.get_by_role("button", name="Stop")
    stop.wait_for()
    before = total.inner_text()
    expect(total).not_to_have_text(before)
    stop.click()
    row = page.get_by_role("region", name="Result").get_by_role("row").filter(has_text="gate-in-tags")
    expect(row).to_have_text(re.compile("good|weak|with gaps"))
    shown = int(row.get_by_role("cell").nth(1).inner_text().replace(",", ""))
    with page.expect_download() as kept:
        page.get_by_role("link", name="Export (JSON)").click()
    kept.value.save_as(tmp_path / "walk.json")
    report = json.loads((tmp_path / "walk.json").read_text())
    assert report["reader"] == "gate-tags"
    assert report["antennas"][0]["reads"] == shown
    page.get_by_role("button", name="Begin again").click()
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    page.goto(f"{demo.url}/devices/gate-tags/walk?walk=forgotten")
    expect(page.get_by_text("not remembered any more")).to_be_visible()


def test_it_speaks_chinese(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("设备")
    page.get_by_role("link", name="booth", exact=True).click()
    expect(page.get_by_role("region", name="设置")).to_contain_text("已确认")
    page.get_by_role("link", name="走动测试").click()
    expect(page.get_by_role("button", name="开始")).to_be_visible()


def nasty_status(**more: object) -> bytes:
    fields = {"state": "offline", "watched": [], "in_force": {}, **more}
    return encode(
        StatusBatch(
            gateway="edge-1",
            device="gate",
            received_at_us=1,
            reason=NASTY,
            since_us=1,
            detail=NASTY,
            manufacturer=NASTY,
            model=NASTY,
            firmware=NASTY,
            serial=NASTY,
            conditions=[Condition("setting_differs", NASTY, 1, key="tx_power_dbm", detail=NASTY)],
            **fields,  # type: ignore[arg-type]  # the fields of the test
        )
    )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def url(tmp_path: Path, broker: Broker) -> Iterator[str]:
    with lone_console(tmp_path, broker, READER) as address:
        yield address


def test_what_devices_say_is_text_and_changes_come_by_themselves(broker: Broker, url: str, page: Page) -> None:
    page.goto(f"{url}/devices")
    row = (
        page.get_by_role("region", name="Devices")
        .get_by_role("row")
        .filter(has=page.get_by_role("link", name="gate", exact=True))
    )
    expect(row).to_contain_text("not heard of")
    publish(broker, "gate/status", nasty_status(in_force={"tx_power_dbm": "18", NASTY: NASTY}), retain=True)
    expect(row).to_contain_text("offline")
    expect(row).to_contain_text("<img src=x")
    row.get_by_role("link").click()
    settings = page.get_by_role("region", name="Settings")
    expect(settings.get_by_role("row").filter(has_text="tx_power_dbm")).to_contain_text("differs: <img src=x")
    expect(page.get_by_role("region", name="Conditions that stand now")).to_contain_text("<img src=x")
    expect(page.get_by_role("region", name="Antennas")).to_contain_text("no")
    publish(broker, "gate/status", nasty_status(state="online", watched=["in"]), retain=True)
    expect(page.get_by_role("region", name="Antennas")).to_contain_text("yes")
    expect(settings.get_by_role("row").filter(has_text="tx_power_dbm")).to_contain_text("not told by the device")
    read = TagRead(NASTY, 1, NASTY, 7, rssi_dbm=-60.0)
    batch = encode(ReadBatch(gateway="edge-1", device="gate", received_at_us=5, reads=[read]))
    publish(broker, "gate/reads", batch)
    expect(page.get_by_role("region", name="Last reads")).to_contain_text("<img")
    page.get_by_role("link", name="Walk test").click()
    page.get_by_role("button", name="Begin").click()
    antenna = page.locator(".walk-antenna")
    expect(antenna).to_contain_text("heard nothing")
    publish(broker, "gate/reads", batch, batch)
    expect(antenna.locator(".walk-facts dd").last).to_have_text("2")
    publish(broker, "gate/status", nasty_status(), retain=True)
    expect(antenna).to_contain_text("This antenna is not being read now")
    assert page.locator("#page img").count() == 0
