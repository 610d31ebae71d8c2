"""The radio of a gate: which antenna singulates which tag, when, and how strongly.

        outer              inner            y: across the lanes, z: height
          v                  v              x: along the lane, from outside (-) to inside (+)
    ------+--------0---------+------> x

Backscatter falls with the fourth power of distance; the antenna's pattern counts twice, for the way there and back.
Slow fading belongs to places (a tag that passes the same spot meets the same fade), fast fading to each attempt.
Whether a tag answers is a matter of its margin over the sensitivity.

Source: path loss and two-way pattern: Dobkin, The RF in RFID, 2nd ed., chapter 3. The figures are set so that a tag
right below the antenna reads near -45 dBm, an assumption. The parabolic pattern is that of 3GPP TR 36.814, table
A.2.1.1-2.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

from simulator.device import Sighting
from simulator.world import noise

ATTEMPT_EVERY_US: Final = 12_000  # one tag is singulated at most so often by one antenna: dense-reader mode, few tags
RSSI_AT_REFERENCE_DBM: Final = -45.0
REFERENCE_M: Final = 2.5
PATH_LOSS_DB_PER_DECADE: Final = 40.0
HALF_BEAM_RAD: Final = math.radians(35)
PATTERN_3_DB: Final = 3.0
PATTERN_FLOOR_DB: Final = 18.0
SLOW_FADING_DB: Final = 3.5
SLOW_FADING_M: Final = 0.15  # about half a wavelength at 915 MHz
FAST_FADING_DB: Final = 1.5
TAG_SPREAD_DB: Final = 2.0
SENSITIVITY_DBM: Final = -67.0
SENSITIVITY_SLOPE_DB: Final = 1.2
HEARING_M: Final = 9.0  # beyond it the model gives no reads at all
CHANNELS: Final = 50
_DEGREES: Final = 360.0


class Place(NamedTuple):
    """A point, in metres."""

    x_m: float
    y_m: float
    z_m: float


@dataclass(frozen=True, slots=True)
class Antenna:
    """An antenna that looks straight down."""

    name: str
    at: Place


class Mover(Protocol):
    """A tag somewhere in the world."""

    @property
    def epc(self) -> bytes:
        """Its EPC."""

    @property
    def present_from_us(self) -> int:
        """When it comes near."""

    @property
    def present_until_us(self) -> int:
        """When it is gone."""

    def place(self, at_us: int) -> Place:
        """Where it is."""


@runtime_checkable
class Chip(Mover, Protocol):
    """A tag whose chip says who it is."""

    @property
    def tid(self) -> bytes:
        """Its TID."""


class GateRadio:
    """The antennas of one reader among the tags of the world. Implements `simulator.device.Radio`.

    Args:
        antennas: by antenna port.
        movers: in order of `present_from_us`.
    """

    def __init__(self, seed: int, antennas: dict[int, Antenna], movers: Sequence[Mover]) -> None:
        self._seed = seed
        self._antennas = antennas
        self._movers = movers
        self._tids = [mover.tid if isinstance(mover, Chip) else b"" for mover in movers]
        self._starts = [mover.present_from_us for mover in movers]
        self._longest_us = max((m.present_until_us - m.present_from_us for m in movers), default=0)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        """What that antenna singulates from `start_us` up to before `until_us`, in order of time."""
        antenna = self._antennas.get(antenna_port)
        if antenna is None:
            return []
        first = bisect_left(self._starts, start_us - self._longest_us)
        last = bisect_left(self._starts, until_us)
        found: list[Sighting] = []
        for index in range(first, last):
            if self._movers[index].present_until_us > start_us:
                self._attempts(found, antenna_port, antenna, index, start_us, until_us)
        found.sort()
        return found

    def _attempts(
        self, found: list[Sighting], port: int, antenna: Antenna, index: int, start_us: int, until_us: int
    ) -> None:
        mover, tid = self._movers[index], self._tids[index]
        tag = int.from_bytes(mover.epc[-8:], "big")
        place_key = noise.bits(self._seed, tag, hash_of(antenna.name))
        phase_us = place_key % ATTEMPT_EVERY_US
        attempt = (max(start_us, mover.present_from_us) - phase_us + ATTEMPT_EVERY_US - 1) // ATTEMPT_EVERY_US
        end_us = min(until_us, mover.present_until_us)
        while (at_us := attempt * ATTEMPT_EVERY_US + phase_us) < end_us:
            rssi_dbm = self._rssi_dbm(antenna, mover.place(at_us), place_key, attempt)
            if rssi_dbm is not None and _answers(rssi_dbm, noise.uniform(place_key, attempt, 2)):
                draw = noise.bits(place_key, attempt, 3)
                found.append(
                    Sighting(
                        at_us,
                        port,
                        mover.epc,
                        round(rssi_dbm, 2),
                        tid,
                        phase_deg=(draw & 0xFFF) * _DEGREES / 4096,
                        channel_index=1 + (draw >> 12) % CHANNELS,
                    )
                )
            attempt += 1

    @staticmethod
    def _rssi_dbm(antenna: Antenna, place: Place, key: int, attempt: int) -> float | None:
        dx, dy, dz = place.x_m - antenna.at.x_m, place.y_m - antenna.at.y_m, antenna.at.z_m - place.z_m
        distance_m = math.sqrt(dx * dx + dy * dy + dz * dz)
        if distance_m > HEARING_M:
            return None
        angle = math.acos(max(-1.0, min(1.0, dz / distance_m))) if distance_m else 0.0
        pattern_db = min(PATTERN_3_DB * (angle / HALF_BEAM_RAD) ** 2, PATTERN_FLOOR_DB)
        path_db = PATH_LOSS_DB_PER_DECADE * math.log10(max(distance_m, 0.5) / REFERENCE_M)
        spot = math.floor(place.x_m / SLOW_FADING_M)
        fading_db = (
            SLOW_FADING_DB * noise.normal(key, spot, 4)
            + FAST_FADING_DB * noise.normal(key, attempt, 1)
            + TAG_SPREAD_DB * noise.normal(key, 5)
        )
        return RSSI_AT_REFERENCE_DBM - path_db - 2 * pattern_db + fading_db


def _answers(rssi_dbm: float, draw: float) -> bool:
    margin = (rssi_dbm - SENSITIVITY_DBM) / SENSITIVITY_SLOPE_DB
    return draw * (1.0 + math.exp(-max(-50.0, min(50.0, margin)))) < 1.0


def hash_of(text: str) -> int:
    """A number that belongs to a name, the same in every run (Python's own `hash` is not)."""
    return int.from_bytes(text.encode()[-8:].rjust(8, b"\0"), "big") ^ len(text) << 56
