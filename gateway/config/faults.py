"""Collects the faults of a site file, one line each: where, the value, what is allowed, the nearest name.

site.toml:14: reader[gate-3-out].settings.tx_power_dbm = 45.0: must be at most 30.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateway.config.phrases import SECRET, clean, explain, nearest, show
from gateway.config.positions import Path, Positions
from gateway.docstrings import attributes

_ABSENT: Final = object()
_HEAD: Final = re.compile(r"(?P<table>[a-z_]+)\[(?P<name>[^\]]+)\](?P<keys>(?:\.[A-Za-z0-9_-]+|\[\d+\])*)")
_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")


class Faults:
    """The faults of one file.

    Args:
        file: the file's name as the messages show it.
        raw: the file as `tomllib` read it, with the tables that stand in other files.
        positions: where its keys stand.
        elsewhere: name and positions of the file in which a table stands that is not in this one.
    """

    def __init__(
        self,
        file: str,
        raw: Mapping[str, Any],
        positions: Positions,
        elsewhere: Mapping[str, tuple[str, Positions]] | None = None,
    ) -> None:
        self._raw = raw
        self._here = (file, positions)
        self._elsewhere = elsewhere or {}
        self._found: dict[str, tuple[bool, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> list[str]:
        """All faults in the order of the file, then of other files; those without a line number come first."""
        return sorted(self._found, key=lambda line: self._found[line])

    def add(self, path: Path, text: str, *, show_value: bool = True) -> None:
        """A fault of the value at `path`; the value is shown unless its key holds a secret."""
        value = self.value(path)
        shown = ""
        if show_value and value is not _ABSENT and not isinstance(value, Mapping):
            shown = f" = {'***' if _is_secret(path) else show(value)}"
        self._add(path, f"{self.name_of(path)}{shown}: {text}")

    def add_text(self, text: str) -> None:
        """A fault that names its place itself, `rule[door].when: ...`: the line number is looked up."""
        self._add(self._path_of(text), text)

    def add_validation(self, error: ValidationError, model: type[BaseModel], base: Path = ()) -> None:
        """All faults of one validation of the table at `base` against `model`."""
        for detail in error.errors(include_url=False):
            path = (*base, *self._without_tags(detail["loc"], base))
            kind = detail["type"]
            if kind == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
                continue  # only sound items were counted; the others are told by themselves
            if kind == "missing":
                self._add(path, f"{self.name_of(path)} is missing{_purpose(self._model(model, path, base), path[-1])}")
            elif kind == "extra_forbidden":
                self._add_unknown(path, self._model(model, path, base))
            elif kind == "union_tag_not_found":
                self._add(path, f"{self.name_of(path)}.{_unquoted(detail)} is missing: it says what this table is")
            elif kind == "union_tag_invalid":
                self.add((*path, _unquoted(detail)), explain(detail))
            elif path[-1:] == ("[key]",):
                self._add(path, f"{self.name_of(path[:-2])}: key {show(path[-2])} {explain(detail)}")
            else:
                self.add(path, explain(detail) + _how_written(kind, path))

    def value(self, path: Path) -> Any:
        """What stands at `path` in the file."""
        value: Any = self._raw
        for step in path:
            if isinstance(value, Mapping) and str(step) in value:
                value = value[str(step)]
            elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return _ABSENT
        return value

    def path_to(self, value: object, base: Path) -> Path:
        """Where a value stands within the table at `base`; `base` itself when it is not found."""
        table = self.value(base)
        steps: list[str | int] = []
        if isinstance(table, Mapping):
            steps = list(table)
        elif isinstance(table, list):
            steps = list(range(len(table)))
        for step in steps:
            path = (*base, step)
            if self.value(path) == value:
                return path
            found = self.path_to(value, path)
            if found != path:
                return found
        return base

    def name_of(self, path: Path) -> str:
        """`reader[gate-3].settings.tx_power_dbm`: tables of an array go by their `name`, where they have one."""
        text = ""
        for depth, step in enumerate(path, start=1):
            if isinstance(step, int):
                table = self.value(path[:depth])
                name = table.get("name") if isinstance(table, Mapping) else None
                if isinstance(name, str) and name:
                    text += f"[{name}]"
                else:
                    text += f"[{step}]" if table is _ABSENT or not isinstance(table, Mapping) else f"[#{step + 1}]"
            else:
                text += f".{step}" if text else step
        return text

    def _add(self, path: Path, text: str) -> None:
        is_elsewhere = bool(path) and path[0] in self._elsewhere
        file, positions = self._elsewhere[str(path[0])] if is_elsewhere else self._here
        line = positions.line_of(path)
        text = clean(f"{file}:{line}: {text}" if line else f"{file}: {text}")
        self._found.setdefault(text, (is_elsewhere, line or 0))

    def _add_unknown(self, path: Path, model: type[BaseModel] | None) -> None:
        known = list(model.model_fields) if model else []
        if _is_secret(path):
            kind = self.value((*path[:-1], "kind"))
            advice = secret_advice(path, self.value((*path[:-1], "name")), kind)
            naming = f"{path[-1]}_credential"
            self.add(path, advice + (f', and name it here: {naming} = "..."' if naming in known else ""))
            return
        table = self.name_of(path[:-1])
        of = f"{table} has no such key" if table else "no such table"
        self.add(path, f"{of}{nearest(path[-1], known)}{'; known: ' + ', '.join(known) if known else '; it has none'}")

    def _model(self, model: type[BaseModel], path: Path, base: Path) -> type[BaseModel] | None:
        """The model of the table that holds the key at `path`."""
        found: type[BaseModel] | None = model
        for depth in range(len(base), len(path) - 1):
            step = path[depth]
            if found is None or isinstance(step, int):
                continue
            field = found.model_fields.get(step)
            models = models_in(field.annotation) if field else []
            if len(models) > 1:
                following = path[depth + 1]
                table = self.value((*path[: depth + 1], following) if isinstance(following, int) else path[: depth + 1])
                models = [each for each in models if isinstance(table, Mapping) and _is_tagged(each, table)]
            found = models[0] if models else None
        return found

    def _without_tags(self, loc: Path, base: Path) -> Path:
        """Pydantic puts the tag of a discriminated union into the path; the file has no such step."""
        path: Path = ()
        for step in loc:
            table = self.value((*base, *path))
            is_tag = (
                isinstance(step, str)
                and path
                and isinstance(path[-1], int)
                and isinstance(table, Mapping)
                and step in (table.get("shape"), table.get("kind"))
            )
            if not is_tag:
                path = (*path, step)
        return path

    def _path_of(self, text: str) -> Path:
        match = _HEAD.match(text)
        if not match:
            return ()
        tables = self._raw.get(match["table"], [])
        for index, table in enumerate(tables if isinstance(tables, list) else []):
            if isinstance(table, Mapping) and table.get("name") == match["name"]:
                steps = (key or int(number) for key, number in _STEP.findall(match["keys"]))
                return (match["table"], index, *steps)
        return ()


def secret_advice(path: Path, name: object, kind: object = None) -> str:
    """Where the secret at `path` belongs; `name` and `kind` are those of its table, if it has them."""
    sink = f"{'webhook' if kind == 'webhook' else 'influx'}-{name}"
    credential = {"mqtt": "mqtt-password", "sink": sink, "control": f"control-{name}"}.get(str(path[0]))
    where = f"the systemd credential `{credential}`" if credential else "a systemd credential"
    return f"a secret must not stand in this file: put it into {where}, remove it here and change it"


def _is_secret(path: Path) -> bool:
    if not path or not isinstance(path[-1], str):
        return False
    return SECRET.search(path[-1]) is not None or (path[:2] == ("control", "person") and path[-1] == "key")


def _purpose(model: type[BaseModel] | None, key: object) -> str:
    field = model.model_fields.get(str(key)) if model else None
    if model is None or field is None:
        return ""
    text = field.description or attributes(model, model.model_fields).get(str(key))
    return f": {text}" if text else ""


def _how_written(kind: str, path: Path) -> str:
    if len(path) == 1 and kind == "list_type":
        return f" of tables, written [[{path[0]}]]"
    if len(path) == 1 and kind in ("model_type", "model_attributes_type"):
        return f", written [{path[0]}]"
    return ""


def _unquoted(detail: Any) -> str:
    return str(detail["ctx"]["discriminator"]).strip("'")


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field's annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType, Annotated):
        return [model for argument in get_args(annotation) for model in models_in(argument)]
    return []


def _is_tagged(model: type[BaseModel], table: Mapping[str, Any]) -> bool:
    for key in ("shape", "kind"):
        field = model.model_fields.get(key)
        if field and table.get(key) in get_args(field.annotation):
            return True
    return False
