"""What a driver has reported, by kind."""

from __future__ import annotations

from collections.abc import Sequence

from readers.observations import Condition, Observation, Rejected, TagRead, TagReads, Watching


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [read for o in heard if isinstance(o, TagReads) for read in o.rows()]


def epcs_in(heard: Sequence[Observation]) -> list[bytes]:
    return [read.epc for read in reads_in(heard)]


def watched_in(heard: Sequence[Observation]) -> list[set[int]]:
    return [set(o.antenna_ports) for o in heard if isinstance(o, Watching)]


def conditions_in(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def rejected_in(heard: Sequence[Observation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for o in heard:
        if isinstance(o, Rejected):
            found[o.reason] = found.get(o.reason, 0) + o.count
    return found
