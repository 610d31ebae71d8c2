"""Faults of the orders that rules give, found when the site file is loaded: they would only ever be refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from gateway.config.control import TWO_STEPS, ControlledPoint
from gateway.config.models import SiteFile
from gateway.config.rules import Order
from rules.language.expressions import Expression
from rules.language.grammar import ExpressionError
from rules.language.vocabulary import FIELDS, RAW
from rules.language.vocabulary import fields_of as fields_of_item


def faults_of_orders(site: SiteFile, types: Iterable[str]) -> list[str]:
    """One line for each fault; `types` are the events that there are."""
    known = set(types) - set(RAW)
    names: set[str] = set()
    found: list[str] = []
    for order in site.order:
        where = f"site.toml: order[{order.name}]"
        if order.name in names:
            found.append(f"{where}.name = {order.name!r}: another order has this name; choose one of its own")
        names.add(order.name)
        found += [f"{where}.{fault}" for fault in _faults_of(site, order, known)]
    return found


def _faults_of(site: SiteFile, order: Order, known: set[str]) -> Iterator[str]:
    if order.on not in known:
        near = difflib.get_close_matches(order.on, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name an event that presence, books or a rule make"
        yield f"on = {order.on!r}: nothing makes such an event; {hint}"
    else:
        try:
            Expression(order.when, fields_of_item(order.on), is_open=order.on not in FIELDS)
        except ExpressionError as error:
            yield f"when = {order.when!r}: {error}"
    if order.action in TWO_STEPS:
        yield f"action = {order.action.value!r}: is armed and confirmed by people; no rule can order it"
    person = next((each for each in site.control.person if each.name == order.person), None)
    if person is None:
        yield (
            f"person = {order.person!r}: no [[control.person]] has this name; add one that stands for the rules, "
            "with a key of its own"
        )
    if order.gateway != site.site.gateway:
        return  # what that one allows stands in its own site file
    if not site.control.enabled:
        yield "person: [control] is not enabled, so that every order would be refused; set control.enabled = true"
    point = next(
        (each for each in site.control.point if (each.device, each.point) == (order.device, order.point)), None
    )
    if point is None:
        allowed = ", ".join(f"{each.device}/{each.point}" for each in site.control.point) or "none"
        yield f"point = {order.point!r}: no [[control.point]] allows {order.device}/{order.point}; there are: {allowed}"
    else:
        yield from _refused(order, point, person.roles if person is not None else point.roles)


def _refused(order: Order, point: ControlledPoint, roles: Iterable[str]) -> Iterator[str]:
    if order.action not in point.actions:
        allowed = ", ".join(action.value for action in point.actions)
        yield f"action = {order.action.value!r}: its [[control.point]] allows {allowed}"
    if (point.two_steps or point.second_person) and order.action not in TWO_STEPS:
        yield "point: is armed and confirmed; set two_steps = false at its [[control.point]], if one step may do it"
    if not set(roles) & set(point.roles):
        yield f"person = {order.person!r}: has none of the roles {', '.join(point.roles)} of its [[control.point]]"
