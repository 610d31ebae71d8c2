"""The pack `power`: limits of demand, power quality, meters that are silent or tampered with, what energy is for."""

from rules.packs.power.room import PACK

__all__ = ["PACK"]
