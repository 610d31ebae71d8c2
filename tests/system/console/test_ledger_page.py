from playwright.sync_api import Page, expect

from tests.system.console.conftest import Demo


def test_the_ledger_balances_on_the_page(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/ledger")
    expect(page.get_by_role("heading", level=1)).to_have_text("Loss ledger")
    row = page.get_by_role("row").filter(has_text="edge-1").filter(has_text="tag reads")
    expect(row).to_contain_text("balanced")
    heard = int(row.get_by_role("cell").nth(1).inner_text().replace(",", ""))
    assert heard > 0
    expect(page.get_by_role("region", name="What the rules made for the stores")).to_contain_text("events")


def test_it_speaks_chinese(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/ledger")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("收支账目")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("收支账目")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Loss ledger")
