"""In Chinese everything is Chinese, but for what the site, its devices and its rules are called and say."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Response

from gateway.console.app import STATIC
from tests.support.console_pages import STREAM, Visit, of_the_demo, too_wide
from tests.system.console.conftest import Demo

EARS = """
window.heard = [];
const Real = window.EventSource;
window.EventSource = class extends Real {
  addEventListener(name, hear, ...more) {
    super.addEventListener(name, hear, ...more);
    super.addEventListener(name, (message) => { if (message.data) window.heard.push(message.data); });
  }
};
"""
"""Keeps what the stream tells."""
SHOWN = """() => {
  const found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    if (!at.closest("noscript, pre, code, #language, .brand")) found.push(walker.currentNode.textContent);
  }
  const names = ["aria-label", "title", "placeholder", "alt", "aria-valuetext"];
  for (const at of document.body.querySelectorAll(names.map((name) => `[${name}]`).join())) {
    for (const name of names) if (at.id !== "language") found.push(at.getAttribute(name) ?? "");
  }
  return [...new Set(found.map((text) => text.trim()).filter(Boolean))];
}"""
WORD = re.compile(r"[A-Za-z]{3,}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ALLOWED = set(
    re.findall(
        r"\w+",
        "tagwharf epc tid rssi dbm deg min pdf csv json toml utc sha sscc grai giai sgtin iso mqtt opc dlms modbus kwh "
        "kvarh kvah kvar var varh kva mhz http msku readers",
    )
)
"""Units, and abbreviations that Chinese engineers use."""


def said_by(value: Any) -> Iterator[str]:
    """All texts in decoded JSON, and the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from said_by(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from said_by(each)


def words_of(texts: Iterator[str] | list[str]) -> set[str]:
    return {word.lower() for text in texts for word in WORD.findall(text)}


def own_words(page: str) -> dict[str, str]:
    """English texts of the console by what they say, each with its Chinese."""
    found: dict[str, str] = {}
    for folder in (STATIC / "text", STATIC / "pages" / page):
        english: dict[str, str] = json.loads((folder / "en.json").read_text())
        chinese: dict[str, str] = json.loads((folder / "zh.json").read_text())
        found |= {text: chinese[key] for key, text in english.items()}
    return found


def names_of_the_site(directory: Path) -> set[str]:
    site = "\n".join(line.partition("# ")[0] for line in (directory / "site.toml").read_text().splitlines())
    return words_of([site, *[each.read_text() for each in directory.glob("*.csv")]])


def test_no_english_is_left_in_chinese(context: BrowserContext, page: Page, demo: Demo) -> None:
    context.add_init_script(EARS)
    context.add_init_script("localStorage.setItem('tagwharf.language', 'zh')")
    page.request.get(f"{demo.url}/api/me")
    page.goto(f"{demo.url}/login")
    page.locator("input").nth(0).fill("engineer")
    page.locator("input").nth(1).fill(demo.password)
    page.keyboard.press("Enter")
    page.locator("#logout").wait_for()
    answers: list[Any] = []

    def keep(response: Response) -> None:
        kind = response.headers.get("content-type", "")
        if kind == "application/json" and "/static/" not in response.url and STREAM not in response.url:
            answers.append(response)

    page.on("response", keep)
    visit, names, left = Visit(page, demo.url), names_of_the_site(demo.directory), []
    for address in of_the_demo(page, demo.url):
        answers.clear()
        visit.open(address)
        told = [each.json() for each in list(answers) if each.status == 200]
        told += [json.loads(text) for text in page.evaluate("window.heard")]
        said = set(said_by(told))
        known = names | ALLOWED | words_of(list(said))
        ours = own_words(address.split("/")[1] or "site")
        texts = page.evaluate(SHOWN)
        assert sum(bool(CHINESE.search(text)) for text in texts) > 10, address
        for text in texts:
            is_of_nobody = bool(words_of([text]) - known)
            is_untranslated = ours.get(text, text) != text and text not in said  # said: a name of the site, too
            if is_of_nobody or is_untranslated:
                left.append((address, text))
        assert (address, too_wide(page)) == (address, "")
    assert left == [], "\n".join(f"{address}: {text}" for address, text in left)


def test_the_button_changes_every_page_in_place(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    visit = Visit(page, demo.url)
    for address in of_the_demo(page, demo.url):
        visit.open(address)
        title = page.title()
        page.locator("#language").click()
        page.wait_for_function(
            "(before) => document.title !== before && document.documentElement.lang === 'zh-CN'", arg=title
        )
        page.locator("#language").click()
        page.wait_for_function("document.documentElement.lang === 'en'")
        assert page.url == f"{demo.url}{address}"
