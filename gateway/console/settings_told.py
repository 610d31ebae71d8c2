"""What the site file asks of a device, beside what the device says is in force.

Drivers read settings back under the names that the site file has for them, as far as the device tells. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sized
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import msgspec
from pydantic import BaseModel

DIFFERS: Final = "setting_differs"
"""The condition by which a driver says that the device did not take a setting; its key is the setting."""
TEXT_MOST: Final = 400
_SECRET: Final = re.compile(r"credential|password|passphrase|secret|(^|_)key$")


class Told(StrEnum):
    """How a setting stands."""

    SAME = "same"
    DIFFERS = "differs"
    UNASKED = "unasked"
    """The site file leaves it to the device, and the device says what it has."""
    NOT_TOLD = "not_told"
    """The device does not say; the driver has sent it."""


class Setting(msgspec.Struct, frozen=True):
    """One setting.

    Attributes:
        asked: as the site file has it, or the driver's default; None where the device may choose.
        is_default: the site file does not name it.
        in_force: as the device says; None where it does not.
        detail: what the driver said of a difference.
    """

    name: str
    asked: str | None
    is_default: bool
    in_force: str | None
    told: Told
    detail: str = ""


def settings_told(
    settings: BaseModel, source: str | None, in_force: Mapping[str, str], conditions: Iterable[Mapping[str, Any]]
) -> list[Setting]:
    """The settings of a reader, or of one device behind it: first those that differ, then as the driver has them."""
    asked, own = _asked(settings, source)
    differences = {each["key"]: each.get("detail", "") for each in conditions if each["name"] == DIFFERS}
    rows = []
    for name, value in asked.items():
        said = in_force.get(name)
        detail = differences.get(name)
        told = Told.DIFFERS if detail is not None else _told(value, said)
        rows.append(Setting(name, _text(value), name not in own, said, told, detail or ""))
    for name, said in in_force.items():
        if name not in asked:
            told = Told.DIFFERS if name in differences else Told.UNASKED
            rows.append(
                Setting(name, None, is_default=True, in_force=said, told=told, detail=differences.get(name, ""))
            )
    return sorted(rows, key=lambda row: row.told is not Told.DIFFERS)


def _asked(settings: BaseModel, source: str | None) -> tuple[dict[str, Any], set[str]]:
    """Settings by name, and the names that the site file gives. Lists of devices behind a line are no settings."""
    values: dict[str, Any] = {}
    own = settings
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if behind := _devices(value):
            if source in behind:
                own = behind[source]
        elif source is None:
            values[name] = value
    if source is not None and own is not settings:
        values = {name: getattr(own, name) for name in type(own).model_fields if name != "name"}
    shown = {name: value for name, value in values.items() if not _SECRET.search(name)}
    return shown, own.model_fields_set


def _devices(value: Any) -> dict[str, BaseModel]:
    if not isinstance(value, list | tuple):
        return {}
    named = [(getattr(each, "name", None), each) for each in value if isinstance(each, BaseModel)]
    return {name: each for name, each in named if isinstance(name, str)}


def _told(asked: Any, said: str | None) -> Told:
    if said is None:
        return Told.NOT_TOLD
    text = _text(asked)
    if text is None:
        return Told.UNASKED
    return Told.SAME if _plain(text) == _plain(said) else Told.DIFFERS


def _plain(text: str) -> list[Decimal | str]:
    """Words and numbers without what people write differently: `30.0` and `30`, `1, 2` and `1 2`."""
    return [_number(word) for word in re.split(r"[\s,]+", text.strip().lower()) if word]


def _number(word: str) -> Decimal | str:
    try:
        found = Decimal(word)
    except InvalidOperation:
        return word
    return found if found.is_finite() else word


def _text(value: Any) -> str | None:
    """A setting as a person writes it; None for what is not set."""
    if value is None or (isinstance(value, Sized) and not len(value)):
        return None
    shown = _shown(value)
    if isinstance(shown, list) and not any(isinstance(each, dict | list) for each in shown):
        text = " ".join(map(_word, shown))
    elif isinstance(shown, dict | list):
        text = json.dumps(shown, ensure_ascii=False)
    else:
        text = _word(shown)
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}..."


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(value: Any) -> Any:
    """A copy for JSON, without secrets and their names."""
    if isinstance(value, BaseModel):
        return _shown(value.model_dump(mode="json", exclude_defaults=True))
    if isinstance(value, Mapping):
        return {str(name): _shown(each) for name, each in value.items() if not _SECRET.search(str(name))}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each) for each in value]
    if isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, StrEnum) else value
    return str(value)
