"""Which lanes a site has: those of packs, of its own sessions, its portals and its weighbridges.

The settings of packs are read here as they stand in the site file: the rules alone know their models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from gateway.config.models import SiteFile
from gateway.config.rules import MatchRule, SessionRule

GATE_DECISION: Final = "gate-decision"
GATE_RECEIPT: Final = "gate-transaction"
ACCESS_DECISION: Final = "access-decision"
ACCESS_RECEIPT: Final = "access-closed"
PASSAGE: Final = "passage"
STABLE_WEIGHT: Final = "stable_weight"
GATE_VERDICTS: Final = ("open", "hold", "trouble")
ACCESS_VERDICTS: Final = ("granted", "refused")
FINE: Final = frozenset({"open", "granted"})
"""Verdicts that let somebody through; all others are exceptions."""
TOLERANCE_KG: Final = 500.0
TOLERANCE_PERCENT: Final = 5.0
"""As the pack has them when the site file says nothing."""
GATE_OTHERS: Final = (
    *("customs-hold", "customs-release", "truck-turn", "truck-queue", "truck-queue-long", "container-dwell"),
    *("container-overdue", "seal-opened", "yard-move"),
)
ACCESS_OTHERS: Final = (
    *("access-duress", "parking-entry", "parking-visit", "parking-violation", "parking-overstay", "parking-full"),
    *("barrier-raised", "barrier-unmatched", "fire-mode", "fire-ended"),
)


class Watched(msgspec.Struct, frozen=True):
    """A signal of a device."""

    device: str
    signal: str


class Weighing(msgspec.Struct, frozen=True):
    """How far a weight may be from what was declared; what is beyond both bounds is held."""

    tolerance_kg: float
    tolerance_percent: float


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One lane.

    Attributes:
        kind: `gate`, `access`, `session` (of the site's own rules), `portal` or `scale`.
        decision: type of the event that decides, or that is all there is; `receipt`: that which ends a transaction.
        is_zone: events name the lane as their zone, not as their subject.
        arrives: what is true while somebody stands in it.
        devices: whose signals belong to it; of those that `signals` names, these signals alone.
    """

    name: str
    kind: str
    decision: str
    receipt: str = ""
    direction: str = ""
    is_zone: bool = False
    verdicts: tuple[str, ...] = ()
    read_points: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    signals: tuple[Watched, ...] = ()
    arrives: Watched | None = None
    weighing: Weighing | None = None


def lanes_of(site: SiteFile) -> tuple[Lane, ...]:
    """Every lane, in the order of the site file."""
    found: dict[tuple[str, str], Lane] = {}
    for lane in (*_of_packs(site), *_of_sessions(site), *_of_portals(site), *_of_scales(site)):
        found.setdefault((lane.decision, lane.name), lane)
    return tuple(found.values())


def kinds_of(site: SiteFile) -> dict[str, tuple[str, ...]]:
    """Types of events by what a person calls them: decisions of each kind, `receipts`, and `others`."""
    lanes = lanes_of(site)
    kinds: dict[str, dict[str, None]] = {}
    for lane in lanes:
        kinds.setdefault(lane.kind, {})[lane.decision] = None
    for lane in lanes:
        if lane.receipt:
            kinds.setdefault("receipts", {})[lane.receipt] = None
    names = {lane.kind for lane in lanes}
    others = [*(GATE_OTHERS if "gate" in names else ()), *(ACCESS_OTHERS if "access" in names else ())]
    if others:
        kinds["others"] = dict.fromkeys(others)
    return {kind: tuple(types) for kind, types in kinds.items()}


def _of_packs(site: SiteFile) -> Iterator[Lane]:
    for use in site.pack:
        for lane in _tables(use.settings, "lane"):
            name = _word(lane, "name")
            if name and use.kind == "port":
                yield _gate_lane(name, lane, use.settings)
            elif name and use.kind == "parking":
                yield _access_lane(site, name, lane)


def _gate_lane(name: str, lane: Mapping[str, Any], settings: Mapping[str, Any]) -> Lane:
    contacts = [_table(lane, key) for key in ("arrives", "arrives_inside", "left", "plate", "seal_state")]
    contacts += _tables(lane, "cameras")
    bounds = _table(settings, "weighing")
    signals = _contacts(contacts, "name")
    return Lane(
        name=name,
        kind="gate",
        decision=GATE_DECISION,
        receipt=GATE_RECEIPT,
        direction=_word(lane, "direction"),
        verdicts=GATE_VERDICTS,
        read_points=_known(*_words(lane, "read_points"), _word(lane, "card_point")),
        devices=_known(*(signal.device for signal in signals), _word(lane, "scale")),
        signals=signals,
        arrives=_watched(_table(lane, "arrives"), "name"),
        weighing=Weighing(
            _number(bounds, "tolerance_kg", TOLERANCE_KG), _number(bounds, "tolerance_percent", TOLERANCE_PERCENT)
        ),
    )


def _access_lane(site: SiteFile, name: str, lane: Mapping[str, Any]) -> Lane:
    points = _words(lane, "read_points")
    signals = _contacts([_table(lane, key) for key in ("loop", "barrier_up")], "signal")
    readers = [reader.name for reader in site.reader if set(reader.read_points.values()) & set(points)]
    return Lane(
        name=name,
        kind="access",
        decision=ACCESS_DECISION,
        receipt=ACCESS_RECEIPT,
        direction={"entry": "in", "exit": "out"}.get(_word(lane, "direction"), ""),
        verdicts=ACCESS_VERDICTS,
        read_points=_known(*points),
        devices=_known(*(signal.device for signal in signals), *readers),
        signals=signals,
        arrives=_watched(_table(lane, "loop"), "signal"),
    )


def _of_sessions(site: SiteFile) -> Iterator[Lane]:
    for rule in site.rule:
        if isinstance(rule, SessionRule) and (rule.decide is not None or rule.emit):
            verdicts = [] if rule.decide is None else [each.verdict for each in rule.decide.verdicts]
            otherwise = [] if rule.decide is None else [rule.decide.otherwise]
            for place, values in rule.places.items():
                yield Lane(
                    name=place,
                    kind="session",
                    decision=rule.decide.emit if rule.decide is not None else str(rule.emit),
                    receipt=str(rule.emit or "") if rule.decide is not None else "",
                    verdicts=_known(*otherwise, *verdicts),
                    read_points=tuple(values),
                    devices=tuple(values),
                )


def _of_portals(site: SiteFile) -> Iterator[Lane]:
    for portal in site.portal:
        points = (*portal.outer, *portal.inner)
        yield Lane(name=portal.name, kind="portal", decision=PASSAGE, is_zone=True, read_points=points)


def _of_scales(site: SiteFile) -> Iterator[Lane]:
    """Weighbridges whose weights a rule of the site tells."""
    scales = [reader.name for reader in site.reader if reader.driver == "weighbridge"]
    for rule in site.rule:
        if isinstance(rule, MatchRule) and rule.emit and rule.on == "signal" and STABLE_WEIGHT in rule.when:
            named = [scale for scale in scales if f'"{scale}"' in rule.when] or scales
            for scale in named:
                yield Lane(name=scale, kind="scale", decision=rule.emit, devices=(scale,))


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = table.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _word(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _words(table: Mapping[str, Any], key: str) -> list[str]:
    value = table.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _number(table: Mapping[str, Any], key: str, absent: float) -> float:
    value = table.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else absent


def _watched(contact: Mapping[str, Any], name: str) -> Watched | None:
    device, signal = _word(contact, "device"), _word(contact, name)
    return Watched(device, signal) if device and signal else None


def _contacts(tables: list[Mapping[str, Any]], name: str) -> tuple[Watched, ...]:
    return tuple(found for table in tables if (found := _watched(table, name)) is not None)


def _known(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
