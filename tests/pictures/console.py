"""Pictures of the pages of the console, on the running demonstration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from playwright.sync_api import Browser, Page

SETTLE_MS: Final = 6000
"""Curves and streams fill in after the page is there."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a page.

    Attributes:
        opens: a link whose page is meant: the first that this selector finds.
    """

    name: str
    path: str
    locale: str = "en-GB"
    scheme: Literal["light", "dark"] = "light"
    width: int = 1400
    height: int = 900
    opens: str = ""


CONSOLE: Final = (
    *(
        Shot(f"console-{name}", f"/{name}")
        for name in (
            *("site", "reads", "devices", "meters", "machines", "alarms", "rules", "ledger", "control", "audit"),
            *("gate",),
        )
    ),
    Shot("console-event", "/gate", opens="main a[href*='/event/']"),
    Shot("console-meters-zh", "/meters", locale="zh-CN"),
    Shot("console-site-dark", "/site", scheme="dark"),
    Shot("console-gate-phone", "/gate", width=400, height=860),
)


def take_console(browser: Browser, url: str, password: str, shots: Iterable[Shot]) -> Iterator[tuple[str, bytes]]:
    """Name and PNG of each, as an operator sees it."""
    first = browser.new_context(locale="en-GB")
    _log_in(first.new_page(), url, password)
    session = first.storage_state()
    first.close()
    for shot in shots:
        context = browser.new_context(
            storage_state=session,
            locale=shot.locale,
            color_scheme=shot.scheme,
            viewport={"width": shot.width, "height": shot.height},
            timezone_id="Asia/Shanghai",
        )
        page = context.new_page()
        page.goto(f"{url}{shot.path}")
        page.locator("main").wait_for()
        page.wait_for_timeout(SETTLE_MS)
        if shot.opens:
            page.goto(f"{url}{page.locator(shot.opens).first.get_attribute('href')}")
            page.wait_for_timeout(SETTLE_MS)
        yield shot.name, page.screenshot()
        context.close()


def _log_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill("operator")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.locator("#logout").wait_for()
