"""Ordering in a browser, on a real edge daemon: what is wired is what counts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.gateway.console.access.served import PASSWORD
from tests.support.control_plant import Plant
from tests.support.quay_console import console_process, running_plant


@dataclass(frozen=True, slots=True)
class Quay:
    url: str
    plant: Plant


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    points = """
[[control.point]]
device = "lane-1-io"
point = "feeder"
actions = ["on", "off"]
roles = ["operator"]
interlocks = ["signal lane-1-io loop = false"]
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "barrier"
actions = ["pulse"]
roles = ["operator"]
second_person = true
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "speed"
actions = ["set"]
roles = ["operator"]
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "red"
actions = ["on", "off"]
roles = ["operator"]
two_steps = false
least_pause_s = 0
"""
    with running_plant(tmp_path_factory.mktemp("quay"), points) as plant, console_process(plant) as url:
        yield Quay(url, plant)


def enter(page: Page, quay: Quay, name: str, to: str = "control") -> None:
    page.goto(f"{quay.url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.locator("#logout").wait_for()
    page.goto(f"{quay.url}/{to}")


def card(page: Page, point: str) -> Locator:
    return page.locator("section.point").filter(has=page.get_by_role("heading", name=f"lane-1-io · {point}"))


def arm(page: Page, point: str, action: str, reason: str, value: str | None = None) -> Locator:
    card(page, point).get_by_role("button", name=f"{action}…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Arm", exact=True)).to_be_disabled()
    if value is not None:
        dialog.get_by_label("New value").fill(value)
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name="Arm", exact=True).click()
    expect(dialog.get_by_role("heading", name=re.compile("^ARMED:"))).to_be_visible()
    return dialog


def switched(quay: Quay, output: int) -> list[bool]:
    return [is_on for number, is_on in quay.plant.wires.switched if number == output]


def test_an_order_is_armed_confirmed_and_verified(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    dialog = arm(page, "feeder", "Switch on", "work order 4711")
    expect(dialog).to_contain_text("feeder of lane-1-io is switched on.")
    expect(dialog).to_contain_text("work order 4711")
    expect(dialog.get_by_role("timer")).to_have_text(re.compile(r"^(4[0-5]|3\d) s$"))
    confirm = dialog.get_by_role("button", name="Confirm: Switch on")
    assert confirm.is_disabled()
    assert switched(quay, 1) == []
    expect(confirm).to_be_enabled()
    confirm.dblclick()
    expect(dialog).to_contain_text("Done, and the device shows it.")
    expect(dialog).to_contain_text(re.compile(r"\d+:[0-9a-f]{64}"))
    assert switched(quay, 1) == [True]
    dialog.get_by_role("button", name="Close").click()
    expect(card(page, "feeder")).to_contain_text("verified")
    page.reload()
    expect(card(page, "feeder")).to_contain_text("verified")
    assert switched(quay, 1) == [True]
    card(page, "feeder").get_by_role("link", name="In the audit").click()
    expect(page.get_by_role("row").filter(has_text="work order 4711").first).to_contain_text("anna")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile(r"^✓ Sound: \d+ records"))).to_be_visible()


def test_escape_takes_it_back(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    before = switched(quay, 1)
    arm(page, "feeder", "Switch off", "a mistake")
    page.keyboard.press("Escape")
    expect(page.locator("#notices")).to_contain_text("taken back")
    expect(card(page, "feeder")).to_contain_text("taken back")
    expect(card(page, "feeder").get_by_role("button", name="Switch off…")).to_be_enabled()
    assert switched(quay, 1) == before


def test_a_reload_repeats_nothing_and_shows_what_stands(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    before = switched(quay, 1)
    arm(page, "feeder", "Switch off", "before a reload")
    page.reload()
    expect(page.get_by_role("dialog")).to_have_count(0)
    standing = card(page, "feeder").locator(".standing")
    expect(standing).to_contain_text("armed")
    standing.get_by_role("button", name="Look, and go on…").click()
    expect(page.get_by_role("dialog")).to_contain_text("before a reload")
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(card(page, "feeder")).to_contain_text("taken back")
    assert switched(quay, 1) == before


def test_an_interlock_that_does_not_hold_is_told(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    before = switched(quay, 1)
    quay.plant.wires.now = [True, False]
    try:
        expect(card(page, "feeder").locator(".interlocks")).to_contain_text("✕ signal loop of lane-1-io = no — now yes")
        card(page, "feeder").get_by_role("button", name="Switch off…").click()
        page.get_by_label("Why").fill("though it is forbidden")
        page.get_by_role("button", name="Arm", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("an interlock does not hold: an interlock does not hold")
        expect(page.get_by_role("dialog")).to_contain_text("signal lane-1-io loop = false: it is true")
    finally:
        quay.plant.wires.now = [False, False]
    assert switched(quay, 1) == before


def test_a_set_point_is_bounded_and_its_name_typed(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    card(page, "speed").get_by_role("button", name="Set…").click()
    page.get_by_label("Why").fill("slower")
    button = page.get_by_role("button", name="Arm", exact=True)
    for wrong in ("61", "1e1", "-1", ""):
        page.get_by_label("New value").fill(wrong)
        expect(button).to_be_disabled()
    page.keyboard.press("Escape")
    dialog = arm(page, "speed", "Set", "slower", "15.5")
    expect(dialog).to_contain_text("speed of lane-1-io is set to 15.5 Hz.")
    confirm = dialog.get_by_role("button", name="Confirm: Set")
    page.wait_for_timeout(2500)
    expect(confirm).to_be_disabled()
    typed = dialog.get_by_label("Type the name")
    typed.fill("spee")
    expect(confirm).to_be_disabled()
    typed.fill("speed")
    expect(confirm).to_be_enabled()
    typed.press("Enter")
    expect(dialog.get_by_role("heading", name=re.compile("^ARMED:"))).to_be_visible()
    assert quay.plant.wires.words[0] == 100
    confirm.click()
    expect(dialog).to_contain_text("Done, and the device shows it.")
    assert quay.plant.wires.words[0] == 155


def test_one_step_is_asked_once_and_sent_once(page: Page, quay: Quay) -> None:
    enter(page, quay, "anna")
    card(page, "red").get_by_role("button", name="Switch on…").click()
    now = page.get_by_role("button", name="Switch on now")
    assert now.is_disabled()
    expect(now).to_be_enabled()
    now.dblclick()
    expect(page.get_by_role("dialog")).to_contain_text("Done, and the device shows it.")
    assert switched(quay, 2) == [True]


def test_a_second_person_confirms_in_a_session_of_his_own(page: Page, quay: Quay, context: BrowserContext) -> None:
    enter(page, quay, "anna")
    before = len(switched(quay, 3))
    dialog = arm(page, "barrier", "Pulse", "truck <b>is</b> stuck")
    expect(dialog.get_by_role("button", name=re.compile("^Confirm"))).to_have_count(0)
    dialog.get_by_role("button", name="Close, and let it wait").click()
    assert context.browser is not None
    other = context.browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 844})
    try:
        ben = other.new_page()
        ben.goto(f"{quay.url}/login")
        ben.locator("input").nth(0).fill("ben")
        ben.locator("input").nth(1).fill(PASSWORD)
        ben.keyboard.press("Enter")
        ben.locator("#logout").wait_for()
        ben.goto(f"{quay.url}/control")
        ben.get_by_role("button", name="查看并确认…").click()
        expect(ben.get_by_role("dialog")).to_contain_text("truck <b>is</b> stuck")
        assert ben.evaluate("document.documentElement.scrollWidth") <= 390
        ben.get_by_role("button", name="确认：点动").click()
        expect(ben.get_by_role("dialog")).to_contain_text("已执行，设备显示已生效。")
    finally:
        other.close()
    expect(card(page, "barrier")).to_contain_text("armed by anna, confirmed by ben")
    assert switched(quay, 3)[before:] == [True, False]


def test_who_orders_in_nobodys_name_only_looks(page: Page, quay: Quay) -> None:
    enter(page, quay, "olaf")
    expect(page.get_by_text("You order in nobody's name").first).to_be_visible()
    expect(card(page, "feeder").get_by_role("button", name="Switch on…")).to_be_disabled()


def test_a_viewer_is_not_let_in(page: Page, quay: Quay) -> None:
    enter(page, quay, "vera", to="")
    expect(page.get_by_role("link", name="Ledger")).to_be_visible()
    expect(page.get_by_role("link", name="Control", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Audit", exact=True)).to_have_count(0)
