"""The drivers that are installed, as `tagwharf readers` tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from rich.table import Table

from readers import registry
from readers.driver import DriverSpec


def entries(name: str | None = None) -> list[dict[str, Any]]:
    """One table for each driver, or for one.

    Raises:
        ConfigError: there is no driver of that name.
    """
    specs = registry.drivers().values() if name is None else [registry.driver(name)]
    return [_entry(spec) for spec in specs]


def as_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """All of them, a line each."""
    table = Table(box=None, pad_edge=False)
    for column in ("driver", "kind", "links", "what"):
        table.add_column(column, overflow="fold")
    for entry in found:
        table.add_row(entry["driver"], entry["kind"], ", ".join(entry["links"]), _what(entry))
    return table


def as_lines(entry: Mapping[str, Any]) -> list[str]:
    """One of them, with its settings."""
    lines = [f"{entry['driver']} ({entry['kind']}): {entry['summary']}", f"links: {', '.join(entry['links'])}"]
    if entry["models"]:
        lines.append(f"models: {', '.join(entry['models'])}")
    if entry["extra"]:
        lines.append(f"needs: pip install 'tagwharf[{entry['extra']}]'")
    if entry["works_on_tags"]:
        lines.append("`tagwharf tag read` and `tag write` work on it")
    lines.append("settings:" if entry["settings"] else "no settings")
    lines += [f"  {each['name']:<22} {each['default']:<12} {each['help']}" for each in entry["settings"]]
    lines.append(f"all about it: docs/reference/drivers/{entry['driver']}.md")
    return lines


def _entry(spec: DriverSpec[Any]) -> dict[str, Any]:
    line = spec.line
    links = [
        *([f"serial {line.baud} baud"] if line else []),
        *([f"tcp {spec.tcp_port}"] if spec.tcp_port else []),
        *([f"tls {spec.tls_port}"] if spec.tls_port else []),
        *spec.schemes,
    ]
    return {
        "driver": spec.name,
        "kind": spec.kind.value,
        "summary": spec.summary,
        "links": links,
        "models": list(spec.models),
        "extra": spec.extra,
        "works_on_tags": spec.station is not None,
        "settings": _settings(spec.settings),
        "schema": spec.settings.model_json_schema(),
    }


def _settings(model: type[BaseModel]) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "default": "required" if field.is_required() else _shown(field.get_default(call_default_factory=True)),
            "help": field.description or "",
        }
        for name, field in model.model_fields.items()
    ]


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if value is True or value is False:
        return str(value).lower()
    return str(getattr(value, "value", value))


def _what(entry: Mapping[str, Any]) -> str:
    extra = f" (needs tagwharf[{entry['extra']}])" if entry["extra"] else ""
    return f"{entry['summary']}{extra}"
