"""The sample file, the reference page and the JSON Schema of `site.toml`, made from its models.

In the sample a line that begins with `# ` explains; a line that begins with `#` alone is a setting: the default, or an
example where there is none. So an empty file is the sample with nothing changed, but for the name of the site.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from gateway.config.models import SiteFile
from readers import registry

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
WIDTH: Final = 110

_EXAMPLES: Final[dict[str, str]] = {
    "Site.name": '"hamburg"',
    "Site.assets": '"assets.csv"',
    "Mqtt.user": '"edge-1"',
    "Mqtt.users": '{ edge = "edge-1", rules = "rules", console = "console" }',
    "Mqtt.tls": '{ ca_file = "ca.pem" }',
    "Console.tls": '{ certificate_file = "console.pem", key_file = "console.key" }',
    "Console.anonymous": '"nobody"',
    "Plan.picture": '"site.svg"',
    "Reader.name": '"gate-3"',
    "Reader.driver": '"llrp"',
    "Reader.port": '"tls://10.0.0.7"',
    "Reader.read_points": '{ 1 = "gate-3-in", 2 = "gate-3-out", 3 = "yard-1", 4 = "yard-2" }',
    "Reader.line": "{ baud = 9600 }",
    "Reader.tls": '{ ca_file = "ca.pem" }',
    "Reader.login": '{ user = "gate-3" }',
    "Reader.settings": "{}",
    "Zone.name": '"yard"',
    "Zone.read_points": '["yard-1", "yard-2"]',
    "Zone.rssi_floor_dbm": "-65.0",
    "Portal.name": '"lane-3"',
    "Portal.outer": '["gate-3-out"]',
    "Portal.inner": '["gate-3-in"]',
    "Portal.rssi_floor_dbm": "-65.0",
    "LookUpTable.name": '"appointments"',
    "LookUpTable.file": '"appointments.csv"',
    "LookUpTable.key": '"container"',
    "LookUpTable.sqlite_table": '"appointments"',
    "LookUpTable.columns": '{ container = "string", slot = "time" }',
    "Order.name": '"open-lane-1"',
    "Order.on": '"gate-decision"',
    "Order.device": '"barriers"',
    "Order.point": '"lane-1"',
    "Order.action": '"pulse"',
    "Order.value": '"1.0"',
    "Order.person": '"gate-rules"',
    "PackUse.name": '"gate"',
    "PackUse.kind": '"port"',
    "PackUse.settings": "{}",
    "RulesSettings.file": '"rules.toml"',
    "MatchRule.name": '"weak-read"',
    "MatchRule.lookup": '{ booked = { table = "appointments", key = "subject" } }',
    "MatchRule.during": '"day"',
    "HoldRule.during": '"day"',
    "Production.timezone": '"Asia/Shanghai"',
    "MatchRule.on": '"read"',
    "MatchRule.when": '"e.rssi_dbm < -80.0"',
    "MatchRule.alarm": '{ severity = "info", message = "a tag is read weakly" }',
    "MatchRule.emit": '"weak_read"',
    "HoldRule.name": '"reader-away"',
    "HoldRule.on": '"status"',
    "HoldRule.when": "\"e.state == 'offline'\"",
    "HoldRule.for_s": "60.0",
    "HoldRule.clear": "\"e.state == 'online'\"",
    "HoldRule.alarm": '{ severity = "critical", message = "a reader is away" }',
    "HoldRule.emit": '"reader_away"',
    "JournalSink.name": '"events"',
    "JournalSink.directory": '"/var/lib/tagwharf/events"',
    "InfluxSink.name": '"main"',
    "InfluxSink.url": '"http://127.0.0.1:8086"',
    "InfluxSink.org": '"hamburg"',
    "InfluxSink.user": '"tagwharf"',
    "InfluxSink.tls": '{ ca_file = "ca.pem" }',
    "Exports.epcis": '{ gln = "4012345000009" }',
    "Exports.codeco": '{ un_location = "DEHAM", sender = "TERMINAL", receiver = "CARRIER", terminal = "CTA" }',
    "Exports.dcsa": '{ un_location = "DEHAM", facility = "CTA", load = "laden" }',
    "WebhookSink.name": '"service-desk"',
    "WebhookSink.url": '"https://desk.example/hooks/tagwharf"',
    "WebhookSink.authorization_credential": '"service-desk-login"',
    "WebhookSink.tls": '{ ca_file = "ca.pem" }',
    "DirectorySink.name": '"exchange"',
    "DirectorySink.directory": '"/srv/exchange"',
}
"""What stands in the sample where a setting has no default, or an empty one."""

_ORDER: Final = (
    "site",
    "mqtt",
    "cards",
    "journal",
    "rules",
    "health",
    "console",
    "plan",
    "control",
    "energy",
    "production",
    "reader",
    "zone",
    "portal",
    "table",
    "pack",
    "rule",
    "order",
    "exports",
    "sink",
)

_ON_THE_PAGE_ONLY: Final = frozenset(
    {"RateRule", "AbsenceRule", "SequenceRule", "SessionRule", "PairRule", "SetRule", "TravelRule", "BindingRule"}
)
"""Rules whose keys exclude one another, so that no table could show all of them."""


def site_schema() -> dict[str, Any]:
    """The JSON Schema of the site file, with the settings of every driver that is installed here."""
    schema = SiteFile.model_json_schema()
    reader = schema["$defs"]["Reader"]
    reader["properties"]["driver"]["examples"] = list(registry.drivers())
    reader["allOf"] = []
    for name, spec in registry.drivers().items():
        settings = spec.settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for model, definition in settings.pop("$defs", {}).items():
            schema["$defs"][f"{name}.{model}"] = definition
        condition = {"properties": {"driver": {"const": name}}, "required": ["driver"]}
        reader["allOf"].append({"if": condition, "then": {"properties": {"settings": settings}}})
    return {"$schema": DIALECT, "$id": "urn:tagwharf:site", "title": "site.toml of Tagwharf", **schema}


def sample_file() -> str:
    """`site.toml` as it is installed: only the name of the site is set."""
    schema = SiteFile.model_json_schema()
    lines = [
        "# The site file of Tagwharf. `tagwharf check` tells every fault; docs/reference/site-file.md tells every key.",
        "# A line that begins with #key is the default, or an example where a setting has none.",
        "# Secrets are never written here: see LoadCredential= in the units.",
    ]
    for table in _ORDER:
        for name, definition in _variants(schema, table):
            if name in _ON_THE_PAGE_ONLY:
                continue
            is_array = schema["properties"][table].get("type") == "array"
            head = f"[[{table}]]" if is_array else f"[{table}]"
            lines += ["", f"# {_first_sentence(definition['description'])}", head if table == "site" else f"#{head}"]
            for key, field in definition["properties"].items():
                lines += [f"# {part}" for part in _wrapped(_meaning(field))]
                setting = f"{key} = {_value(name, key, field)}"
                lines.append(setting if (table, key) == ("site", "name") else f"#{setting}")
    return "\n".join(lines) + "\n"


def site_page() -> str:
    """`site-file.md`."""
    schema = SiteFile.model_json_schema()
    lines = [
        "<!-- Generated by `tagwharf generate`; edit the models instead. -->",
        "",
        "# The site file",
        "",
        (
            "One TOML file describes a site: `/etc/tagwharf/site.toml`, or what `--config` or `TAGWHARF_CONFIG` names. "
            "Unknown keys are faults; `tagwharf check` tells all faults at once. Only `[site] name` must be there. "
            "Secrets are systemd credentials, never keys of this file. Relative paths start at the directory of the "
            "file; a bare file name of a certificate or key may also be that of a credential."
        ),
        "",
        (
            "A read point belongs to one reader; several antennas of that reader may cover it. It is in one zone, or "
            "on one side of one portal, or else a zone of its own name. A zone unites read points of any readers."
        ),
        "",
        "For editors: [`site.schema.json`](site.schema.json). All keys with their defaults: `systemd/site.toml`.",
    ]
    seen: set[str] = set()
    for table in _ORDER:
        for name, definition in _variants(schema, table):
            is_array = schema["properties"][table].get("type") == "array"
            kind = _tag(definition)
            title = f"`[[{table}]]`" if is_array else f"`[{table}]`"
            lines += ["", f"## {title}{f' with `{kind}`' if kind else ''}", "", definition["description"], ""]
            lines += _keys(schema, definition)
            seen.add(name)
    for name in _referenced(schema, seen):
        definition = schema["$defs"][name]
        if "properties" in definition:
            lines += ["", f"## {name}", "", definition["description"], "", *_keys(schema, definition)]
    return "\n".join(lines) + "\n"


def settings_table(schema: dict[str, Any]) -> list[str]:
    """The keys of one table as Markdown, from the JSON Schema of its model; nested tables are named, not opened."""
    return _keys(schema, schema)


def _variants(schema: dict[str, Any], table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The models that a table may follow, by name."""
    entry = schema["properties"][table]
    entry = entry.get("items", entry)
    references = [each["$ref"] for each in entry.get("oneOf", [entry])]
    for reference in references:
        name = reference.rsplit("/", 1)[1]
        yield name, schema["$defs"][name]


def _tag(definition: dict[str, Any]) -> str:
    for key in ("shape", "kind"):
        if "const" in definition["properties"].get(key, {}):
            return f'{key} = "{definition["properties"][key]["const"]}"'
    return ""


def _keys(schema: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = definition.get("required", [])
    for key, field in definition.get("properties", {}).items():
        default = "**required**" if key in required else _default(field)
        meaning = field.get("description", "").replace("|", "\\|")
        lines.append(f"| `{key}` | {_allowed(schema, field)} | {default} | {meaning} |")
    return lines


def _default(field: dict[str, Any]) -> str:
    value = field.get("default", {} if field.get("type") == "object" else None)
    return "" if value is None else f"`{_toml(value)}`"


def _allowed(schema: dict[str, Any], field: dict[str, Any]) -> str:
    if "anyOf" in field or "oneOf" in field:
        choices: list[dict[str, Any]] = field.get("anyOf", field.get("oneOf", []))
        parts = [_allowed(schema, each) for each in choices if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        definition = schema.get("$defs", {}).get(name, {})
        if "enum" in definition:
            return ", ".join(f"`{value}`" for value in definition["enum"])
        return f"table [{name}](#{name.lower()})"
    if "const" in field:
        return f'`"{field["const"]}"`'
    if "enum" in field:
        return ", ".join(f"`{_toml(value)}`" for value in field["enum"])
    kind = field.get("type", "any")
    if kind == "array":
        return f"array of {_allowed(schema, field.get('items', {}))}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"table of {_allowed(schema, values)}" if isinstance(values, dict) and values else "table"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    if field.get("format") == "path":
        return "path"
    if field.get("pattern") == "^[a-z0-9][a-z0-9_-]{0,63}$":
        return "name"
    bounds = [
        f"{sign} {_toml(field[bound])}"
        for bound, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if bound in field
    ]
    return " ".join([words.get(kind, kind), ", ".join(bounds)]).strip()


def _referenced(schema: dict[str, Any], seen: set[str]) -> list[str]:
    """Models of tables within tables, in the order of their first use."""
    found: list[str] = []
    waiting = sorted(seen)
    for name in waiting:  # which grows
        text = json.dumps(schema["$defs"][name])
        for other in schema["$defs"]:
            if f'#/$defs/{other}"' in text and other not in seen and other not in found:
                found.append(other)
                waiting.append(other)
    return found


def _meaning(field: dict[str, Any]) -> str:
    return str(field.get("description", ""))


def _value(model: str, key: str, field: dict[str, Any]) -> str:
    example = _EXAMPLES.get(f"{model}.{key}")
    default = field.get("const", field.get("default"))
    if example is not None and default in (None, "", {}, "true"):
        return example
    return _toml(default)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        pairs = [f"{key} = {_toml(each)}" for key, each in value.items() if each is not None]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _first_sentence(text: str) -> str:
    return text.split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if text else []
