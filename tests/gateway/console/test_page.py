import json
from pathlib import Path

from gateway.console.access.roles import Role
from gateway.console.page import Page, as_json, refusal
from gateway.console.places import Place
from tests.support.console import make_console


def test_a_page_needs_no_data_of_its_own(tmp_path: Path) -> None:
    page, console = Page("x", order=None), make_console(tmp_path)
    assert list(page.routes(console)) == []
    assert dict(page.parts(console.site, None)) == {}
    assert page.least is Role.VIEWER


def test_what_is_told_is_json() -> None:
    response = as_json({"places": [Place("yard", "zone")]}, 201, {"X-More": "1"})
    assert (response.status_code, response.media_type, response.headers["X-More"]) == (201, "application/json", "1")
    assert json.loads(bytes(response.body))["places"][0]["name"] == "yard"


def test_a_refusal_says_why() -> None:
    response = refusal("no such thing", 404, known=["a"])
    assert response.status_code == 404
    assert json.loads(bytes(response.body)) == {"error": "no such thing", "known": ["a"]}
