import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.system.console.conftest import Demo

ANSWERS_MS = 90_000
RULE = "wrong-way"


def test_the_rules_are_listed_counted_and_found(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/rules")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rules")
    rows = page.get_by_role("region", name="Rules as they run").locator("tbody tr")
    expect(rows.first).to_be_visible()
    count = rows.count()
    assert count > 20
    entry = rows.filter(has=page.get_by_role("link", name="truck-weighed", exact=True))
    expect(entry).to_contain_text("ago", timeout=ANSWERS_MS)
    page.get_by_label("Search").fill("weighed")
    expect(page.get_by_text(re.compile(rf"^\d+ of {count} rules$"))).to_be_visible()
    assert rows.count() < count
    assert "text=weighed" in page.url
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("weighed")
    expect(page.get_by_text("Engineers may replay.")).to_be_visible()
    page.get_by_label("Search").fill("no such rule")
    expect(page.get_by_text("No rule is like this.")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="rule", exact=True).click()
    names = rows.get_by_role("rowheader").all_inner_texts()
    assert names == sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])


def test_an_operator_asks_a_rule_why_and_why_not(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/rules/truck-weighed")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rule truck-weighed")
    page.get_by_text("As TOML").click()
    expect(page.locator("pre")).to_contain_text('name = "truck-weighed"')
    why = page.get_by_role("region", name="Latest events").get_by_role("button", name=re.compile("^Why")).first
    expect(why).to_be_visible(timeout=ANSWERS_MS)
    why.click()
    answer = page.get_by_role("region", name="Why?", exact=True)
    expect(answer.locator(".trace-line.made_by")).to_contain_text("made by rule truck-weighed", timeout=ANSWERS_MS)
    page.get_by_label("About", exact=True).fill("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Ask why not").click()
    missing = page.get_by_role("region", name="Why not?", exact=True)
    expect(missing.locator(".trace-line").first).to_contain_text("<img src=x onerror=alert(1)>", timeout=ANSWERS_MS)
    assert page.locator("main img").count() == 0


def test_an_engineer_replays_and_gives_up(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("engineer")
    page.goto(f"{demo.url}/rules")
    expect(page.get_by_text("There is a recording from")).to_be_visible(timeout=ANSWERS_MS)
    result = page.get_by_role("region", name="Result of the replay")
    page.get_by_role("button", name="Replay", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(result).to_have_text("Given up.")
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(result.locator(".badge")).to_be_visible(timeout=ANSWERS_MS)
    expect(result).to_contain_text("batches were replayed")
    page.get_by_text("Counts of all").click()
    expect(result.get_by_role("link", name="truck-weighed", exact=True)).to_be_visible()


@pytest.mark.parametrize("path", ["/rules", f"/rules/{RULE}"])
def test_it_fits_a_phone_and_speaks_chinese(page: Page, demo: Demo, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{demo.url}{path}")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("规则" if path == "/rules" else f"规则 {RULE}")
    expect(page.get_by_text("正在查询规则…")).to_be_hidden(timeout=ANSWERS_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_refused_rule_file_is_told_on_top(page: Page, demo: Demo) -> None:
    said = {"rules": [], "fault": "site.toml: rule[<b>gate</b>].when: is no expression"}
    page.route("**/api/rules/list", lambda route: route.fulfill(status=200, body=json.dumps(said)))
    page.goto(f"{demo.url}/rules")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("The site file or its rule file has faults")
    expect(told).to_contain_text("rule[<b>gate</b>]")
    assert told.locator("b").count() == 0


def test_a_rule_that_is_not_there(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/rules/no-such-rule")
    expect(page.get_by_role("alert")).to_contain_text("no rule is named 'no-such-rule'", timeout=ANSWERS_MS)
    page.get_by_role("link", name="All rules").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rules")
