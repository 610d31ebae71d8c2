import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.system.console.conftest import Demo

RECORDER = """
window.tones = [];
window.AudioContext = class {
  constructor() { this.currentTime = 0; this.state = "running"; this.destination = {}; }
  createOscillator() {
    const frequency = { set value(hertz) { window.tones.push(hertz); } };
    return { frequency, connect: (next) => next, start() {}, stop() {} };
  }
  createGain() {
    return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (next) => next };
  }
  close() {}
  resume() {}
};
"""
"""The loudspeaker of the machine, which writes down what it is asked to play."""
CRITICAL, WARNING, INFO = [880, 660, 880, 660], [660, 520], [660]


def standing(page: Page, demo: Demo, query: str = "") -> Locator:
    """The rows of the alarms that stand, when there is one."""
    page.goto(f"{demo.url}/alarms{query}")
    rows = page.get_by_role("region", name=re.compile("Alarms that stand")).locator("tbody tr")
    rows.first.wait_for()
    return rows


def test_without_a_login_everything_is_shown_and_nothing_can_be_done(page: Page, demo: Demo) -> None:
    rows = standing(page, demo)
    expect(rows.first.locator(".severity")).to_have_text(re.compile("[▲◆●] (critical|warning|info)"))
    expect(page.get_by_text("log in as an operator")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Act on"))).to_have_count(0)
    expect(page).to_have_title(re.compile(r"^\(\d+\) Alarms · "))
    expect(page.locator('link[rel="icon"]')).to_have_attribute("href", "/static/mark-alarm.svg")


def test_an_operator_acknowledges_one_and_clears_it(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    rows = standing(page, demo, "?text=unknown-card")
    address = rows.first.get_by_role("link").first.get_attribute("href")
    page.goto(f"{demo.url}{address}")
    page.get_by_role("button", name="Handle …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Comment").click()  # a comment by itself needs a text
    expect(dialog).to_be_visible()
    dialog.get_by_label(re.compile("^Comment")).fill("the guard looks <b>now</b>")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Acknowledged: A card")).to_be_visible()
    changes = page.locator(".changes li")
    expect(changes.first).to_contain_text("Acknowledged by operator")
    expect(changes.first).to_contain_text("operator: the guard looks <b>now</b>")
    expect(changes.last).to_contain_text("Raised, info")
    page.get_by_role("button", name="Handle …").click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Handle …").click()
    dialog.get_by_role("button", name="Clear").click()
    expect(page.locator(".changes li").first).to_contain_text("Cleared")
    expect(page.get_by_role("button", name="Handle …")).to_be_hidden()
    page.goto(f"{demo.url}/alarms/history?state=cleared&rule=unknown-card")
    expect(page.locator(f'a[href="{address}"]')).to_be_visible()


def test_several_are_acknowledged_at_once_and_one_order_is_one(
    page: Page, demo: Demo, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    rows = standing(page, demo, "?text=unknown-card&state=unseen")
    expect(rows.nth(1)).to_be_visible()
    sent: list[str] = []

    def heard(request: Any) -> None:
        if request.url.endswith("/api/alarms/order"):
            sent.append(json.loads(request.post_data)["alarm"])

    page.on("request", heard)
    for number in range(2):
        rows.nth(number).get_by_role("checkbox").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.locator(".selection").get_by_role("button", name="Acknowledge").click()
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").dblclick()
    expect(page.get_by_text("2 of 2 done.")).to_be_visible()
    assert len(sent) == len(set(sent)) == 2
    page.goto(f"{demo.url}/alarms?text=unknown-card&state=acknowledged")
    for alarm in sent:
        expect(page.locator(f'a[href="/alarms/{alarm}"]')).to_be_visible()


def test_it_fits_a_telephone_and_speaks_chinese(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    standing(page, demo)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("报警")
    page.goto(f"{demo.url}/alarms/{'0' * 20}")
    expect(page.get_by_role("heading", level=2)).to_have_text("没有这条报警")


def test_the_sound_goes_on_until_somebody_has_seen_it_and_a_louder_one_sounds_at_once(page: Page, demo: Demo) -> None:
    page.add_init_script(RECORDER)
    page.goto(f"{demo.url}/ledger")
    page.clock.install()

    def siren(call: str) -> list[int]:
        tones: list[int] = page.evaluate(f"(() => {{ window.tones = []; {call}; return window.tones; }})()")
        return tones

    def later(seconds: int) -> list[int]:
        page.evaluate("window.tones = []")
        page.clock.run_for(seconds * 1000)
        tones: list[int] = page.evaluate("window.tones")
        return tones

    page.evaluate("import('/static/base/sound.js').then(({ Siren }) => { window.siren = new Siren(); })")
    assert siren("siren.show(1, 10)") == []  # it is off
    assert siren("siren.switch()") == WARNING
    assert later(19) == []
    assert later(2) == WARNING
    assert siren("siren.show(1, 20)") == []  # as loud as the one before: it goes on in its own time
    assert siren("siren.show(2, 30)") == CRITICAL
    assert later(17) == CRITICAL * 2
    assert siren("siren.show(1, 20)") == []  # the critical one was acknowledged, a warning is left
    assert later(21) == WARNING
    assert siren("siren.show(0, 15)") == []
    assert later(60) == []
    assert siren("siren.show(0, 40)") == INFO  # a note sounds once
    assert later(60) == []
    assert siren("siren.show(-1, 0)") == []
    assert later(60) == []
    assert siren("siren.show(2, 50)") == CRITICAL
    assert siren("siren.switch()") == []
    assert later(60) == []


def test_the_title_blinks_only_in_the_background(page: Page, demo: Demo) -> None:
    standing(page, demo)
    counted = re.compile(r"^\(\d+\) Alarms · ")
    expect(page).to_have_title(counted)
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true })"
    told = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(f"{hide % 'true'}; {told}")
    expect(page).to_have_title(re.compile(r"^▲ \d+$"))
    expect(page).to_have_title(counted)
    page.evaluate(f"{hide % 'false'}; {told}")
    titles = {page.evaluate("new Promise((then) => setTimeout(() => then(document.title), 300))") for _ in range(8)}
    assert all(counted.search(title) for title in titles), titles
