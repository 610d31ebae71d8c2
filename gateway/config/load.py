"""Reads `site.toml`: all faults at once, and the finished models when there are none."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.config.crosschecks import CrossChecks, Draft, settings_of, warnings
from gateway.config.faults import Faults
from gateway.config.models import Mqtt, Portal, Reader, Rule, Sink, Site, SiteFile, Zone
from gateway.config.positions import Positions
from readers.driver import DriverSettings
from readers.errors import ConfigError

__all__ = ["ConfigError", "driver_settings", "load_site", "state_directory", "warnings"]

LARGEST_BYTES: Final = 4 << 20  # a thousand readers with all their settings need a tenth of it
CHECKS: Final = "tagwharf.checks"
"""Entry points `faults(site: SiteFile) -> list[str]`: what a room above the gateway finds wrong."""

Model = TypeVar("Model", bound=BaseModel)

_ARRAYS: Final[dict[str, TypeAdapter[Any]]] = {
    "reader": TypeAdapter(Reader),
    "zone": TypeAdapter(Zone),
    "portal": TypeAdapter(Portal),
    "rule": TypeAdapter(Rule),
    "sink": TypeAdapter(Sink),
}


def load_site(path: Path) -> SiteFile:
    """Read and check a site file. Relative paths in it become absolute, from the directory that the file is in.

    Raises:
        ConfigError: all faults, one line each.
    """
    text = _read(path)
    raw = _parse(path, text)
    faults = Faults(str(path), raw, Positions(text))
    resolved = _resolve(raw, path.absolute().parent)
    site: SiteFile | None = None
    try:
        site = SiteFile.model_validate(resolved)
    except ValidationError as error:
        faults.add_validation(error, SiteFile)
    CrossChecks(_draft(resolved, whole=site is not None), faults).run()
    if site is not None and not faults:
        for line in _checks_of_other_rooms(site):
            faults.add_text(line)
    if faults or site is None:
        raise ConfigError("\n".join(faults.lines()))
    return site


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


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; name the site file with --config or TAGWHARF_CONFIG"
        ) from error
    if len(content) > LARGEST_BYTES:
        raise ConfigError(f"{path}: is larger than {LARGEST_BYTES} bytes; this is no site file")
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", str(error), re.DOTALL)
        reason, line, column = match.groups() if match else (str(error), None, None)
        place = f"{path}:{line or text.count(chr(10)) + 1}"
        where = f"column {column}" if column else "the end of the file"
        raise ConfigError(f"{place}: TOML syntax at {where}: {reason}{_syntax_hint(reason, text)}") from error


def _syntax_hint(reason: str, text: str) -> str:
    if text.startswith("\ufeff"):
        return "; save the file without a byte order mark"
    if reason.startswith("Cannot declare"):
        return "; tables that may repeat are written [[reader]], with two brackets"
    if reason.startswith("Cannot overwrite"):
        return "; a key may stand once in a table"
    if reason.startswith("Invalid value"):
        return "; text needs quotes"
    return ""


def _resolve(raw: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """A copy with absolute paths; values of a wrong type stay, for the models to refuse."""
    site = dict(raw)
    if isinstance(site.get("site"), dict):
        site["site"] = _absolute(site["site"], ("assets",), directory)
    if isinstance(site.get("mqtt"), dict):
        site["mqtt"] = _with_tls(site["mqtt"], directory)
    if isinstance(site.get("reader"), list):
        site["reader"] = [_with_tls(each, directory) if isinstance(each, dict) else each for each in site["reader"]]
    return site


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
            handed_over = Path(credentials) / name if credentials and "/" not in name else None
            found[key] = str(handed_over if handed_over and handed_over.exists() else directory / name)
    return found


def _draft(raw: Mapping[str, Any], *, whole: bool) -> Draft:
    """What is sound by itself, so that one fault does not hide those of other tables."""
    draft = Draft(whole=whole, site=_sound(Site, raw.get("site")))
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
    draft.tls.extend((("reader", index, "tls"), reader.tls) for index, reader in draft.reader if reader.tls is not None)
    return draft


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
