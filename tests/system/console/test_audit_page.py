import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.system.console.conftest import Demo


def test_the_orders_of_the_rules_stand_there_and_can_be_chosen_and_exported(
    page: Page, demo: Demo, log_in: Callable[[str], None]
) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/audit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit of control")
    page.get_by_label("Person").select_option("car-park-rules")
    page.get_by_label("Outcome").select_option("verified")
    first = page.get_by_role("row").nth(1)
    for _ in range(60):  # until a car has come
        page.get_by_role("button", name="Show").click()
        page.wait_for_timeout(1000)
        if first.count():
            break
    expect(first).to_contain_text("car-park-rules")
    expect(first).to_contain_text("verified")
    assert "by=car-park-rules" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    lines = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert {line["record"]["outcome"]["by"] for line in lines} == {"car-park-rules"}
    page.reload()
    expect(page.get_by_label("Person")).to_have_value("car-park-rules")
    expect(first).to_contain_text("car-park-rules")


def test_it_verifies_and_compares_with_a_receipt(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/audit")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile(r"^✓ Sound: [\d,]+ records"))).to_be_visible()
    page.get_by_label("Compare with a receipt").fill(f"1:{'0' * 64}")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile("^✕ Not sound: 1 faults"))).to_be_visible()
    expect(page.get_by_text("record 1: its hash is another than in a receipt")).to_be_visible()


def test_a_narrow_page_in_chinese(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{demo.url}/audit")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("控制审计")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
