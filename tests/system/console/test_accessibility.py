"""Everybody can use the console: no rule of WCAG 2.1 AA that a machine can test is broken, and a keyboard is enough."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.console_pages import Visit, of_the_demo
from tests.system.console.conftest import Demo

SERVERS = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
AXE = SERVERS / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return [found.passes.length, found.violations.map((each) => [each.id, each.nodes.length, each.nodes.slice(0, 3)
    .map((node) => `${node.html.slice(0, 160)} ${node.any.map((why) => why.message).join(" ").slice(0, 200)}`)])];
}"""
TABS_MOST = 80
RULES_LEAST = 10
"""So many rules have something to say of the emptiest page: the check has run."""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{AXE} is missing: tests/system/install_servers.sh installs it")
        pytest.skip("axe-core is not installed")
    return AXE.read_text()


def broken_rules(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    passed, found = page.evaluate(RUN)
    assert passed >= RULES_LEAST
    violations: list[Any] = found
    return violations


def test_no_page_breaks_a_rule_in_light_or_dark(
    page: Page, demo: Demo, axe: str, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    visit, broken = Visit(page, demo.url), []
    for address in of_the_demo(page, demo.url):
        page.emulate_media(color_scheme="light")
        visit.open(address)
        broken += [(address, "light", *each) for each in broken_rules(page, axe)]
        page.emulate_media(color_scheme="dark")
        broken += [(address, "dark", *each) for each in broken_rules(page, axe)]
    assert broken == []


def test_dialogues_and_phones_break_no_rule(page: Page, demo: Demo, axe: str, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    visit = Visit(page, demo.url)
    visit.open("/control")
    page.locator("#page button:enabled").filter(has_text=re.compile("…$")).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken_rules(page, axe) == []
    visit.open("/reads")
    page.locator("tbody tr:not([hidden])").get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken_rules(page, axe) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    for address in ("/", "/alarms", "/meters"):
        visit.open(address)
        assert (address, broken_rules(page, axe)) == (address, [])


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it stands there; what has the focus is always to be seen."""
    for _ in range(TABS_MOST):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """(selector) => {
              const at = document.activeElement;
              const frame = at.querySelector(":scope > rect");
              const isSeen = getComputedStyle(at).outlineStyle !== "none"
                || (frame && parseFloat(getComputedStyle(frame).strokeWidth) >= 3);
              return [at.matches(selector), at === document.body || isSeen, at.outerHTML.slice(0, 120)];
            }""",
            selector,
        )
        assert at[1], f"focus is not to be seen on {at[2]}"
        if at[0]:
            return
    pytest.fail(f"Tab does not come to {selector}")


def test_a_keyboard_is_enough(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/")
    expect(page.locator("#page h1")).to_be_visible()
    tab_to(page, "#skip")
    page.keyboard.press("Enter")
    tab_to(page, "#page :is(a, button, input, select, summary, [tabindex='0'])")
    page.reload()
    expect(page.locator("#page h1")).to_be_visible()

    tab_to(page, "#menu a[href='/devices']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    tab_to(page, "#page input[type=search]")
    page.keyboard.type("crane")
    region = page.get_by_role("region", name="Devices")
    expect(region.get_by_role("link")).to_have_text(["crane-1", "crane-2"])
    tab_to(page, "#page button.sort")
    head = region.get_by_role("columnheader").filter(has=page.locator(":focus"))
    before = head.get_attribute("aria-sort")
    page.keyboard.press("Enter")
    expect(head).not_to_have_attribute("aria-sort", before or "")
    expect(region.locator("button.sort:focus")).to_have_count(1)


def test_the_focus_comes_back_after_a_dialogue(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/")
    page.locator("g.place[data-name='filling']").wait_for()
    tab_to(page, "g.place")
    name = page.evaluate("document.activeElement.dataset.name")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.dataset.name") == name


def test_live_changes_leave_focus_selection_and_scroll_alone(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/devices")
    link = page.get_by_role("region", name="Devices").get_by_role("link", name="warper-1", exact=True)
    link.wait_for()
    link.focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#page h1'))")
    before = page.evaluate("[scrollY, String(getSelection())]")
    rate = page.locator("#f-rate")
    seen = set()
    for _ in range(8):
        page.wait_for_timeout(500)
        seen.add(rate.inner_text())
    assert len(seen) > 1
    assert page.evaluate("[scrollY, String(getSelection())]") == before
    expect(link).to_be_focused()
