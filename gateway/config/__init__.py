"""`site.toml`: its models, its faults, its sample and its reference page."""

from readers.errors import ConfigError

__all__ = ["ConfigError"]
