"""When and where something was seen, and where the raw item is to be found: what is kept of an item as evidence."""

from __future__ import annotations

import sys

import msgspec

from gateway.contract.events import Evidence, Scalar
from rules.item import Item


class Sighting(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One sighting. `sequence` is 0 where the item does not say of which batch it is."""

    at_us: int
    gateway: str
    epoch: int
    sequence: int
    read_point: str
    device: str

    def __post_init__(self) -> None:
        """Hold one copy of each name, however many tags were seen there, and after a restart, too."""
        for name in ("gateway", "read_point", "device"):
            msgspec.structs.force_setattr(self, name, sys.intern(getattr(self, name)))

    def evidence(self) -> Evidence:
        """It alone."""
        return Evidence(
            gateway=self.gateway,
            epoch=self.epoch,
            sequence_from=self.sequence,
            sequence_to=self.sequence,
            reads=1,
            read_points=(self.read_point,) if self.read_point else (),
            last_seen_at_us=self.at_us,
        )

    def told(self) -> dict[str, Scalar]:
        """As an event tells of the other sighting, beside its own."""
        found: dict[str, Scalar] = {
            "other_at_us": self.at_us,
            "other_gateway": self.gateway,
            "other_epoch": self.epoch,
            "other_sequence": self.sequence,
            "other_read_point": self.read_point,
            "other_device": self.device,
        }
        return {name: value for name, value in found.items() if value != ""}


TOLD_TYPES = {
    "other_at_us": "int",
    "other_gateway": "string",
    "other_epoch": "int",
    "other_sequence": "int",
    "other_read_point": "string",
    "other_device": "string",
}
"""The types of what is told of a sighting."""


def sighting_of(item: Item) -> Sighting:
    """What is kept of an item."""
    evidence = item.evidence
    return Sighting(
        item.at_us,
        evidence.gateway,
        evidence.epoch,
        evidence.sequence_to,
        item.text("read_point") or "",
        item.text("device") or "",
    )


def moved(sighting: Sighting, gateway: str, by_us: int) -> Sighting:
    """The sighting after this gateway's clock was set back."""
    if sighting.gateway != gateway:
        return sighting
    return msgspec.structs.replace(sighting, at_us=sighting.at_us - by_us)
