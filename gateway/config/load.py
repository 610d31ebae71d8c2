"""Reads `site.toml`: all faults at once, and the finished models when there are none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.config.console import Console
from gateway.config.crosschecks import CrossChecks, Draft, settings_of, warnings
from gateway.config.faults import Faults
from gateway.config.models import InfluxSink, Mqtt, Portal, Reader, Sink, Site, SiteFile, Tls, WebhookSink, Zone
from gateway.config.phrases import SECRET
from gateway.config.plan import Plan
from gateway.config.positions import Positions
from gateway.config.rule_file import TABLES, RuleFile, named_in, read_rule_file
from gateway.config.rules import LookUpTable, Rule
from gateway.config.toml_file import parse, read
from readers.driver import DriverSettings
from readers.errors import ConfigError

__all__ = ["ConfigError", "driver_settings", "load_site", "state_directory", "warnings"]

ADVICE: Final = "name the site file with --config or TAGWHARF_CONFIG"
CHECKS: Final = "tagwharf.checks"
"""Entry points `faults(site: SiteFile) -> list[str]`: what a room above the gateway finds wrong."""

_CREDENTIALS: Final = "/run/credentials"  # of all services, where this process has none of its own

_OURS: Final = "TAGWHARF_"

Model = TypeVar("Model", bound=BaseModel)

_ARRAYS: Final[dict[str, TypeAdapter[Any]]] = {
    "reader": TypeAdapter(Reader),
    "zone": TypeAdapter(Zone),
    "portal": TypeAdapter(Portal),
    "table": TypeAdapter(LookUpTable),
    "rule": TypeAdapter(Rule),
    "sink": TypeAdapter(Sink),
}


def load_site(path: Path) -> SiteFile:
    """Read and check a site file and the rule file that it may name.

    Relative paths become absolute, from the directory that the site file is in.

    Raises:
        ConfigError: all faults, one line each.
    """
    _refuse_secrets_of_the_environment()
    text = read(path, ADVICE)
    raw = parse(path, text)
    positions = Positions(text)
    name = named_in(raw, path)
    rules = RuleFile() if name is None else read_rule_file(name)
    twice = _stands_twice(Faults(str(path), raw, positions), raw) if name is not None else []
    raw = {key: table for key, table in raw.items() if name is None or key not in TABLES} | rules.tables
    faults = Faults(str(path), raw, positions, rules.positions)
    resolved = _resolve(raw, path.absolute().parent)
    site: SiteFile | None = None
    try:
        site = SiteFile.model_validate(resolved)
    except ValidationError as error:
        faults.add_validation(error, SiteFile)
    CrossChecks(_draft(resolved, whole=site is not None), faults).run()
    if site is not None and not faults and not twice and not rules.faults:
        for line in _checks_of_other_rooms(site):
            faults.add_text(line)
    if lines := [*twice, *faults.lines(), *rules.faults]:
        raise ConfigError("\n".join(lines))
    assert site is not None  # or there were faults
    return site


def site_files(path: Path) -> list[Path]:
    """The files that a site file is made of: itself, and the rule file that it names."""
    try:
        raw = parse(path, read(path, ADVICE))
    except ConfigError:
        return [path]
    name = named_in(raw, path)
    return [path] if name is None else [path, name]


def driver_settings(reader: Reader) -> DriverSettings:
    """The settings of a reader, by its driver's own model.

    Raises:
        ConfigError: the driver is unknown, or its settings have faults; one line each.
    """
    return settings_of(reader)


def state_directory(site: SiteFile) -> Path:
    """Where journals and snapshots live: what systemd says, else what the site file says."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]  # several are separated by colons; ours is the first
    return Path(given) if given else site.site.state_dir


def _refuse_secrets_of_the_environment() -> None:
    found = sorted(name for name in os.environ if name.startswith(_OURS) and SECRET.search(name))
    if found:
        advice = "a secret must not stand in the environment: hand it over as a systemd credential, and change it"
        raise ConfigError("\n".join(f"{name}: {advice}" for name in found))


def _stands_twice(faults: Faults, raw: Mapping[str, Any]) -> list[str]:
    for key in TABLES:
        if key in raw:
            text = "stands in the file that rules.file names, or here, not in both; move it there, or remove rules.file"
            faults.add((key,), text, show_value=False)
    return faults.lines()


def _resolve(raw: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """A copy with absolute paths; values of a wrong type stay, for the models to refuse."""
    site = dict(raw)
    if isinstance(site.get("site"), dict):
        site["site"] = _absolute(site["site"], ("assets",), directory)
    if isinstance(site.get("rules"), dict):
        site["rules"] = _absolute(site["rules"], ("file",), directory)
    if isinstance(site.get("mqtt"), dict):
        site["mqtt"] = _with_tls(site["mqtt"], directory)
    if isinstance(site.get("console"), dict):
        site["console"] = _with_tls(site["console"], directory)
    if isinstance(site.get("plan"), dict):
        site["plan"] = _absolute(site["plan"], ("picture",), directory)
    if isinstance(site.get("reader"), list):
        site["reader"] = [_with_tls(each, directory) if isinstance(each, dict) else each for each in site["reader"]]
    if isinstance(site.get("table"), list):
        site["table"] = [
            _absolute(each, ("file",), directory) if isinstance(each, dict) else each for each in site["table"]
        ]
    if isinstance(site.get("sink"), list):
        site["sink"] = [_sink(each, directory) if isinstance(each, dict) else each for each in site["sink"]]
    return site


def _sink(table: dict[str, Any], directory: Path) -> dict[str, Any]:
    keys = ("directory",) if table.get("kind") == "directory" else ()
    return _with_tls(_absolute(table, keys, directory), directory)


def _with_tls(table: dict[str, Any], directory: Path) -> dict[str, Any]:
    if not isinstance(table.get("tls"), dict):
        return table
    return {**table, "tls": _absolute(table["tls"], ("ca_file", "certificate_file", "key_file"), directory)}


def _absolute(table: dict[str, Any], keys: tuple[str, ...], directory: Path) -> dict[str, Any]:
    """Relative to the site file, or the name of a systemd credential."""
    found = dict(table)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    for key in keys:
        if isinstance(found.get(key), str):
            name = found[key]
            handed_over = Path(credentials or _CREDENTIALS) / name if "/" not in name else None
            # A key that is nowhere is the credential of another service: all of them read this file.
            elsewhere = key == "key_file" and not os.path.exists(directory / name)  # noqa: PTH110  # of any text
            taken = handed_over is not None and (elsewhere or os.path.exists(handed_over))  # noqa: PTH110  # of any text
            found[key] = str(handed_over if taken else directory / name)
    return found


def _draft(raw: Mapping[str, Any], *, whole: bool) -> Draft:
    """What is sound by itself, so that one fault does not hide those of other tables."""
    draft = Draft(whole=whole, site=_sound(Site, raw.get("site")), plan=_sound(Plan, raw.get("plan")))
    for table, adapter in _ARRAYS.items():
        items = raw.get(table)
        for index, item in enumerate(items if isinstance(items, list) else []):
            try:
                getattr(draft, table).append((index, adapter.validate_python(item)))
            except ValidationError:
                continue  # told already, by the validation of the whole file
    mqtt = _sound(Mqtt, raw.get("mqtt"))
    if mqtt is not None and mqtt.tls is not None:
        draft.tls.append((("mqtt", "tls"), mqtt.tls))
    served = _sound(Console, raw.get("console"))
    if served is not None and served.tls is not None:
        own = Tls(certificate_file=served.tls.certificate_file, key_file=served.tls.key_file)
        draft.tls.append((("console", "tls"), own))
    draft.tls.extend((("reader", index, "tls"), reader.tls) for index, reader in draft.reader if reader.tls is not None)
    draft.tls.extend((("sink", index, "tls"), tls) for index, sink in draft.sink if (tls := _tls_of(sink)) is not None)
    return draft


def _tls_of(sink: object) -> Tls | None:
    return sink.tls if isinstance(sink, InfluxSink | WebhookSink) else None


def _sound(model: type[Model], table: Any) -> Model | None:
    try:
        return model.model_validate(table)
    except ValidationError:
        return None


def _checks_of_other_rooms(site: SiteFile) -> list[str]:
    """Their lines begin with the place, or with `site.toml: ` before it."""
    found: list[str] = []
    for entry in entry_points(group=CHECKS):
        found.extend(line.removeprefix("site.toml: ") for line in entry.load()(site))
    return found
