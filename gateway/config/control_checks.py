"""Faults between `[control]` and the devices of the site file: points that are not there, roles that nobody has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.config.control import ControlledPoint, Person
from gateway.config.faults import Faults
from gateway.config.phrases import nearest
from gateway.config.positions import Path
from gateway.control.interlocks import Interlock, Source, parse
from readers.control import Action, ControlPoint
from readers.driver import DriverSettings

_PEOPLE_FOR_TWO: Final = 2
Model = TypeVar("Model", bound=BaseModel)


def check_control(faults: Faults, settings: Mapping[int, DriverSettings], *, whole: bool) -> None:
    """Add what is wrong between the tables of `[control]` and the readers.

    `settings` are those of the readers, by their index in the file; in a file that is `whole` a name that is not found
    does not exist.
    """
    table = faults.value(("control",))
    _alarm_roles(faults, table)
    if not isinstance(table, Mapping):
        return
    people = _sound(table.get("person"), Person)
    points = _sound(table.get("point"), ControlledPoint)
    _people(faults, people)
    offered = _offered(faults, settings)
    devices = _devices(faults, settings)
    taken: set[tuple[str, str]] = set()
    for index, point in points:
        path: Path = ("control", "point", index)
        if (point.device, point.point) in taken:
            faults.add((*path, "point"), f"stands in another [[control.point]] of device {point.device} already")
        taken.add((point.device, point.point))
        found = offered.get((point.device, point.point))
        if found is not None:
            _point(faults, path, point, found)
        elif whole:
            _no_such_point(faults, path, point, offered, devices)
        if whole:
            _interlocks(faults, path, point, devices)
            _roles(faults, path, point, [person for _, person in people])


def _alarm_roles(faults: Faults, control: Any) -> None:
    people = _sound(control.get("person"), Person) if isinstance(control, Mapping) else []
    known = {role for _, person in people for role in person.roles}
    roles = faults.value(("rules", "alarm_roles"))
    for at, role in enumerate(roles if isinstance(roles, list) else []):
        if isinstance(role, str) and role not in known:
            path: Path = ("rules", "alarm_roles", at)
            faults.add(path, f"no [[control.person]] has this role{nearest(role, known)}")


def offered_points(settings: DriverSettings, reader: str) -> dict[tuple[str, str], ControlPoint]:
    """The points of one reader, by the name of their device and their own."""
    return {(point.source or reader, point.name): point for point in settings.control_points()}


def _sound(tables: Any, model: type[Model]) -> list[tuple[int, Model]]:
    """Those that are right by themselves; the faults of the others are told already."""
    found = []
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        try:
            found.append((index, model.model_validate(table)))
        except ValidationError:
            continue
    return found


def _people(faults: Faults, people: list[tuple[int, Person]]) -> None:
    names: set[str] = set()
    keys: dict[str, str] = {}
    for index, person in people:
        if person.name in names:
            faults.add(("control", "person", index, "name"), "this name is taken by another person; names must differ")
        elif person.key_credential in keys:
            text = f"is the key of {keys[person.key_credential]} already; each person has a key that nobody else has"
            faults.add(("control", "person", index, "key_credential"), text)
        names.add(person.name)
        keys.setdefault(person.key_credential, person.name)


def _offered(faults: Faults, settings: Mapping[int, DriverSettings]) -> dict[tuple[str, str], ControlPoint]:
    found: dict[tuple[str, str], ControlPoint] = {}
    for index, each in settings.items():
        found |= offered_points(each, str(faults.value(("reader", index, "name"))))
    return found


def _devices(faults: Faults, settings: Mapping[int, DriverSettings]) -> set[str]:
    names = {str(faults.value(("reader", index, "name"))) for index in settings}
    return names | {source for each in settings.values() for source in each.sources()}


def _no_such_point(
    faults: Faults,
    path: Path,
    point: ControlledPoint,
    offered: Mapping[tuple[str, str], ControlPoint],
    devices: set[str],
) -> None:
    if point.device not in devices:
        faults.add((*path, "device"), f"no reader has this device{nearest(point.device, devices)}")
        return
    there = sorted(name for device, name in offered if device == point.device)
    known = f"known: {', '.join(there)}" if there else "its driver or its settings offer none"
    faults.add((*path, "point"), f"device {point.device} has no such point{nearest(point.point, there)}; {known}")


def _point(faults: Faults, path: Path, point: ControlledPoint, found: ControlPoint) -> None:
    for at, action in enumerate(point.actions):
        if action not in found.actions:
            known = ", ".join(found.actions)
            faults.add((*path, "actions", at), f"{point.device} {point.point} has no such action; known: {known}")
    if Action.START in point.actions and "is_remote_enabled" not in found.shows:
        text = "the machine does not show is_remote_enabled, without which nothing may be started from afar"
        faults.add((*path, "actions"), text)
    for at, text in enumerate(point.interlocks):
        each = parse(text)
        if each.source is Source.POINT and each.name not in found.shows:
            shows = ", ".join(found.shows) or "nothing"
            what = f"{point.device} {point.point} does not show {each.name}"
            faults.add((*path, "interlocks", at), f"{what}{nearest(each.name, found.shows)}; it shows {shows}")


def _interlocks(faults: Faults, path: Path, point: ControlledPoint, devices: set[str]) -> None:
    for at, each in enumerate(map(parse, point.interlocks)):
        if _is_strange(each, devices):
            text = f"no reader has device {each.device}{nearest(each.device, devices)}"
            faults.add((*path, "interlocks", at), text)


def _is_strange(interlock: Interlock, devices: set[str]) -> bool:
    return interlock.source is not Source.POINT and interlock.device not in devices


def _roles(faults: Faults, path: Path, point: ControlledPoint, people: list[Person]) -> None:
    known = {role for person in people for role in person.roles}
    for key in ("roles", "close_roles"):
        for at, role in enumerate(getattr(point, key)):
            if role not in known:
                faults.add((*path, key, at), f"no [[control.person]] has this role{nearest(role, known)}")
    if point.second_person:
        able = [person.name for person in people if set(person.roles) & set(point.roles)]
        if len(able) < _PEOPLE_FOR_TWO:
            text = f"needs two people with one of its roles; there is {able[0] if able else 'nobody'}"
            faults.add((*path, "second_person"), text)
