"""The pack `port`: gates of a container terminal, its yard, seals and reefers."""

from rules.packs.port.terminal import PACK

__all__ = ["PACK"]
