"""Every page of a console by its address, and when it stands still."""

import urllib.parse

from playwright.sync_api import Page, Request, expect

PLAIN = (
    "/",
    "/gate",
    "/alarms",
    "/alarms/history",
    "/reads",
    "/devices",
    "/meters",
    "/machines",
    "/control",
    "/rules",
    "/ledger",
    "/audit",
    "/login",
)
"""Those that need no name."""
OF_THE_DEMO = (
    "/devices/gate-1",
    "/devices/gate-tags/walk",
    "/meters/mains",
    "/rules/truck-weighed",
    f"/event/{20 * '0'}",
)
QUIET_MS = 250
WITHIN_MS = 90_000
STREAM = "/api/stream"


def of_the_demo(page: Page, url: str) -> list[str]:
    """Every page of the demonstration; those of an alarm and of an event by ids that its journal knows."""
    found = [*PLAIN, *OF_THE_DEMO]
    for _ in range(WITHIN_MS // QUIET_MS):
        alarms = page.request.get(f"{url}/api/alarms/history?limit=1").json()["alarms"]
        events = page.request.get(f"{url}/api/gate/events?limit=1").json()["events"]
        if alarms and events:
            return [*found, f"/alarms/{alarms[0]['id']}", f"/event/{events[0]['id']}"]
        page.wait_for_timeout(QUIET_MS)
    raise AssertionError("the demonstration had no alarm or no event in time")


class Visit:
    """Opens pages, and knows when all that they asked for has come."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url = page, url
        self._asked: set[Request] = set()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def open(self, address: str) -> None:
        """Open a page; it has a heading and its first answers then."""
        self._asked.clear()
        self._page.goto(f"{self._url}{address}")
        expect(self._page.locator("#page h1").first).to_be_visible()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is asked any more."""
        for _ in range(WITHIN_MS // QUIET_MS):
            self._page.wait_for_timeout(QUIET_MS)
            if not self._asked:
                return
        raise AssertionError(f"not answered in time: {[each.url for each in self._asked]}")

    def _begun(self, request: Request) -> None:
        if urllib.parse.urlsplit(request.url).path != STREAM:
            self._asked.add(request)

    def _ended(self, request: Request) -> None:
        self._asked.discard(request)


def too_wide(page: Page) -> str:
    """What sticks out of the window, or nothing."""
    found: str = page.evaluate(
        """() => {
          const most = innerWidth;
          if (document.documentElement.scrollWidth <= most) return "";
          const found = [...document.querySelectorAll("body *")].filter((each) => !each.closest("#menu")
            && each.getBoundingClientRect().right > most + 1 && !each.parentElement.closest(".scroll"));
          return found.map((each) => `${each.tagName}.${each.className}`).slice(0, 5).join(", ") || "something";
        }"""
    )
    return found
