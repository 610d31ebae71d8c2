from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.console.access.roles import Account, Role
from gateway.console.ordering.listed import Listed, is_direct, may
from readers.control import Action
from tests.support.control_plant import site_text
from tests.support.quay_console import POINTS, users


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    return Listed(load_site(file(tmp_path)))


def file(directory: Path) -> Path:
    path = directory / "site.toml"
    text = site_text(1883, 5020, POINTS + users())
    path.write_text(text.format(gateway="edge-1", state=directory))
    return path


def point(listed: Listed, name: str, person: str | None) -> dict[str, object]:
    found = listed.whole(Account("somebody", Role.OPERATOR, person))
    return next(each for each in found if each["point"] == name)


def action(listed: Listed, name: str, person: str | None) -> dict[str, object]:
    actions = point(listed, name, person)["actions"]
    assert isinstance(actions, list)
    first: dict[str, object] = actions[0]
    return first


def test_a_set_point_has_its_bounds_and_is_typed(listed: Listed) -> None:
    found = point(listed, "speed", "ben")
    assert [str(found[name]) for name in ("unit", "minimum", "maximum", "most_change")] == ["Hz", "0", "60", "20"]
    assert action(listed, "speed", "ben") == {
        "action": "set", "may": True, "is_offered": True, "is_direct": False, "is_typed": True, "needs": ["chief"],
    }  # fmt: skip


def test_interlocks_are_taken_apart(listed: Listed) -> None:
    assert point(listed, "feeder", "anna")["interlocks"] == [
        {
            "text": "signal lane-1-io loop = false", "source": "signal", "device": "lane-1-io", "name": "loop",
            "operator": "=", "literal": False,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("person", "expected"), [("anna", False), ("ben", True), (None, False), ("nobody", False)])
def test_who_lacks_the_role_is_told_so(listed: Listed, person: str | None, *, expected: bool) -> None:
    assert action(listed, "speed", person)["may"] is expected


def test_one_step_is_only_where_the_site_file_says_so(listed: Listed) -> None:
    found = {name: listed.rule("lane-1-io", name) for name in ("red", "feeder", "barrier")}
    assert [rule is not None and is_direct(rule, Action.ON) for rule in found.values()] == [True, False, False]
    red = found["red"]
    assert red is not None
    assert not is_direct(red, Action.TRIP)
    assert listed.rule("lane-1-io", "other") is None


def test_closing_needs_a_role_of_its_own(tmp_path: Path) -> None:
    site = load_site(file(tmp_path))
    ben = next(person for person in site.control.person if person.name == "ben")
    rule = site.control.point[0].model_copy(update={"close_roles": ["switchman"]})
    assert may(ben, rule, Action.ON)
    assert not may(ben, rule, Action.CLOSE)
    assert may(ben, rule.model_copy(update={"close_roles": ["chief"]}), Action.CLOSE)


def test_an_action_that_the_driver_does_not_offer_is_told(tmp_path: Path) -> None:
    site = load_site(file(tmp_path))
    rule = site.control.point[0].model_copy(update={"actions": [Action.FREEZE]})
    other = site.model_copy(update={"control": site.control.model_copy(update={"point": [rule]})})
    assert action(Listed(other), "feeder", "anna")["is_offered"] is False
