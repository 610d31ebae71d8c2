"""What may be ordered, as the site file and the drivers say, and what of it may be ordered by whoever looks."""

from __future__ import annotations

from typing import Any, Final

from gateway.config.control import TWO_STEPS, ControlledPoint, Person
from gateway.config.models import SiteFile
from gateway.console.access.roles import Account
from gateway.control.interlocks import as_text
from gateway.control.service import Controlled, controlled_points
from readers.control import Action

TYPED: Final = frozenset({Action.TRIP, Action.CLOSE, Action.SET})
"""What is confirmed only by who has typed the name of the point."""


class Listed:
    """The allow list of a site."""

    def __init__(self, site: SiteFile) -> None:
        self._site = site
        self._people = {person.name: person for person in site.control.person}
        self._rules = {(rule.device, rule.point): rule for rule in site.control.point}
        self._offered = controlled_points(site)

    def rule(self, device: str, point: str) -> ControlledPoint | None:
        """What the site file says of a point."""
        return self._rules.get((device, point))

    def whole(self, account: Account) -> list[dict[str, Any]]:
        """Every point, as somebody sees it."""
        person = self._people.get(account.person or "")
        return [_told(rule, self._offered.get(key), person) for key, rule in self._rules.items()]


def is_direct(rule: ControlledPoint, action: Action) -> bool:
    """Whether one step will do."""
    return not (rule.two_steps or rule.second_person or action in TWO_STEPS)


def _told(rule: ControlledPoint, offered: Controlled | None, person: Person | None) -> dict[str, Any]:
    point = None if offered is None else offered.point
    actions = [
        {
            "action": action.value,
            "may": person is not None and may(person, rule, action),
            "is_offered": point is not None and action in point.actions,
            "is_direct": is_direct(rule, action),
            "is_typed": action in TYPED,
            "needs": rule.close_roles if action is Action.CLOSE else rule.roles,
        }
        for action in rule.actions
    ]
    interlocks = [
        {
            "text": each.text,
            "source": each.source.value,
            "device": each.device,
            "name": each.name,
            "operator": each.operator,
            "literal": each.literal if isinstance(each.literal, bool) else as_text(each.literal),
        }
        for each in rule.parsed_interlocks()
    ]
    told = rule.model_dump(mode="json", exclude={"actions", "interlocks", "two_steps"})
    limits = {
        name: None if point is None else getattr(point, name)
        for name in ("unit", "minimum", "maximum", "most_change", "settles_s")
    }
    return {**told, "actions": actions, "interlocks": interlocks, **limits}


def may(person: Person, rule: ControlledPoint, action: Action) -> bool:
    """Whether the gateway would let a person order this; it decides itself, this is what the page shows."""
    roles = set(person.roles)
    return bool(roles & set(rule.roles)) and (action is not Action.CLOSE or bool(roles & set(rule.close_roles)))
