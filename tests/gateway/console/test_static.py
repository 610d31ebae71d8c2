"""The files that the console serves: their words, what they may not do, and what comes from others."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from gateway.console.app import STATIC
from gateway.console.registry import all_pages

PAGES = sorted(path for path in (STATIC / "pages").iterdir() if path.is_dir())
SCRIPTS = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
BUNDLES = [STATIC / "text", *PAGES]
DIGESTS = {
    "uPlot.esm.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


def words(folder: Path, language: str) -> dict[str, str]:
    text: dict[str, str] = json.loads((folder / f"{language}.json").read_text())
    return text


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_both_languages_say_the_same(folder: Path) -> None:
    english, chinese = words(folder, "en"), words(folder, "zh")
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert places(text) == places(chinese[key]), key
        assert text.strip(), key
        assert chinese[key].strip(), key


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_every_word_that_a_page_asks_for_is_there(folder: Path) -> None:
    known = {**words(STATIC / "text", "en"), **words(folder, "en")}
    for script in folder.glob("*.js"):
        text = script.read_text()
        for key in re.findall(r'\bt\("([^"]+)"', text):
            assert key in known, f"{script.name}: {key}"
        for start in re.findall(r"\bt\(`([^`$]+)\$\{", text):
            assert any(key.startswith(start) for key in known), f"{script.name}: {start}..."


def test_the_shell_has_its_words() -> None:
    known = words(STATIC / "text", "en")
    for key in re.findall(r'\bt\("([^"]+)"', (STATIC / "shell.js").read_text()):
        assert key in known, key
    for page in all_pages():
        assert page.order is None or f"menu.{page.name}" in known, page.name


def test_every_page_has_its_folder_and_every_folder_its_page() -> None:
    assert {page.name for page in all_pages()} | {"login"} == {folder.name for folder in PAGES}
    for folder in PAGES:
        assert {"page.js", "en.json", "zh.json"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC)))
def test_no_script_makes_markup_of_text_or_asks_anybody_else(script: Path) -> None:
    text = script.read_text()
    forbidden = r"(inner|outer)HTML\s*\+?=|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\s*=|srcdoc"
    assert re.findall(forbidden, text) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    imports = re.findall(r'(?<![\w"`])(?:from|import)\s*\(?["`]([^"`]+)["`]', text)
    assert all(name.startswith((".", "/")) for name in imports), imports


def test_the_style_sheet_asks_nobody_else() -> None:
    text = (STATIC / "console.css").read_text()
    assert "@import" not in text
    assert "url(" not in text


def test_what_comes_from_others_is_as_they_made_it() -> None:
    folder = STATIC / "vendor" / "uplot"
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == DIGESTS
