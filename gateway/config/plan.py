"""`[plan]` and `[[plan.place]]`: the drawing of the site on the console's first page, and what stands where on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from gateway.config.faults import Faults
from gateway.config.phrases import nearest
from gateway.config.positions import Path as Position
from gateway.config.table import Name, Table
from readers.driver import DriverSettings

PICTURES: Final = {".png": "image/png", ".svg": "image/svg+xml"}
"""What a picture may be, by the end of its name."""
PICTURE_MOST_BYTES: Final = 5 << 20
PLACES_MOST: Final = 500
"""More could not be told apart on one drawing."""

_Metres = Annotated[float, Field(ge=0, le=100_000)]
_Extent = Annotated[float, Field(gt=0, le=100_000)]


def _picture(path: Path) -> Path:
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"must end in {' or '.join(PICTURES)}")
    return path


class PlanPlace(Table):
    """`[[plan.place]]`: a rectangle of the plan that stands for a zone, portal, read point or device."""

    name: Name = Field(description="Name of the zone, portal, read point or device.")
    label: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = Field(
        None, description="What is written on it; its name when absent."
    )
    x_m: _Metres = Field(description="Its left edge, from that of the plan.")
    y_m: _Metres = Field(description="Its upper edge, from that of the plan.")
    width_m: _Extent = Field(description="Its width.")
    height_m: _Extent = Field(description="Its height.")


class Plan(Table):
    """The drawing of the site on the console's first page. Without places the console arranges all that there is."""

    width_m: _Extent = Field(100, description="Width of the site as drawn.")
    height_m: _Extent = Field(60, description="Height of the site as drawn.")
    picture: Annotated[Path, AfterValidator(_picture)] | None = Field(
        None,
        description="A PNG or SVG file behind the places, stretched over the whole plan, 5 MiB at most. Relative to "
        "the site file.",
    )
    place: list[PlanPlace] = Field(default=[], max_length=PLACES_MOST, description="What stands where.")


def check_plan(
    faults: Faults, settings: Mapping[int, DriverSettings], is_implied: Callable[[str], bool], *, whole: bool
) -> None:
    """Add places that stand for nothing, stand twice, or stand outside the plan.

    `settings` are of the readers, by index; `is_implied` knows read points that exist without a name of their own. In a
    file that is `whole` a name that is not found does not exist.
    """
    known = _names(faults, settings)
    first: set[str] = set()
    for index, place in _tables(faults, ("plan", "place")):
        path: Position = ("plan", "place", index)
        name = place.get("name")
        if isinstance(name, str):
            if name in first:
                faults.add((*path, "name"), "stands on the plan already; a place is drawn once")
            elif whole and name not in known and not is_implied(name):
                text = f"no zone, portal, read point or device has this name{nearest(name, known)}"
                faults.add((*path, "name"), text)
            first.add(name)
        for start, extent in (("x_m", "width_m"), ("y_m", "height_m")):
            _within(faults, (*path, start), place.get(start), place.get(extent), faults.value(("plan", extent)))


def _within(faults: Faults, path: Position, start: object, extent: object, whole: object) -> None:
    whole = _DEFAULTS[str(path[-1])] if whole is None else whole
    if not all(isinstance(each, int | float) for each in (start, extent, whole)):
        return  # told already
    assert isinstance(start, int | float)
    assert isinstance(extent, int | float)
    assert isinstance(whole, int | float)
    if min(start, extent) >= 0 and start + extent > whole > 0:
        faults.add(path, f"ends at {start + extent:g} m, outside the plan, which ends at {whole:g} m")


_DEFAULTS: Final[Mapping[str, float]] = {
    "x_m": Plan.model_fields["width_m"].default,
    "y_m": Plan.model_fields["height_m"].default,
}


def _names(faults: Faults, settings: Mapping[int, DriverSettings]) -> list[str]:
    """Everything that may stand on a plan."""
    names: dict[str, None] = {}
    for table in ("zone", "portal", "reader"):
        for _, each in _tables(faults, (table,)):
            names[str(each.get("name"))] = None
            for key in ("read_points", "outer", "inner"):
                names |= dict.fromkeys(_texts(each.get(key)))
    for driver_settings in settings.values():
        names |= dict.fromkeys(driver_settings.sources())
    gateway = faults.value(("site", "gateway"))
    names[gateway if isinstance(gateway, str) else "edge-1"] = None
    return list(names)


def _texts(value: object) -> Iterable[str]:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [each for each in items if isinstance(each, str)]


def _tables(faults: Faults, path: Position) -> list[tuple[int, Mapping[str, object]]]:
    table = faults.value(path)
    return [(i, each) for i, each in enumerate(table if isinstance(table, list) else []) if isinstance(each, Mapping)]
