"""The maps that come with the product, and a user's own by their path."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from readers.codecs.modbus_map import MeterMap
from readers.codecs.modbus_map_file import MapError, parse

_SUFFIX: Final = ".toml"
_TEMPLATE: Final = "template"
_MOST_BYTES: Final = 1_000_000


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The maps that come with the product."""
    found = (each.name for each in _folder().iterdir() if each.name.endswith(_SUFFIX))
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name != _TEMPLATE + _SUFFIX))


def load(name: str) -> MeterMap:
    """The map of that name, or at that path.

    Raises:
        MapError: there is none, or it has faults; one line each.
    """
    if not name.endswith(_SUFFIX):
        return _shipped(name)
    path = Path(name)
    if not path.is_absolute():
        raise MapError(f"{name}: a map of your own must be named by its whole path, /etc/tagwharf/maps/...")
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise MapError(f"{name}: is larger than {_MOST_BYTES} bytes; that is no map")
        return parse(text.decode(), name)
    except OSError as error:
        raise MapError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MapError(f"{name}: is not UTF-8 text") from error


@lru_cache(maxsize=32)
def _shipped(name: str) -> MeterMap:
    if name not in names():
        raise MapError(f"there is no map {name!r}; there are {', '.join(names())}, or a path that ends in {_SUFFIX}")
    return parse(_folder().joinpath(name + _SUFFIX).read_text(encoding="utf-8"), name + _SUFFIX)


def template() -> str:
    """A map with every key explained, for users to copy."""
    return _folder().joinpath(_TEMPLATE + _SUFFIX).read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("readers.meters.modbus_meter") / "maps"
