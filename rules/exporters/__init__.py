"""Formats of others, made of our events."""

from rules.exporters.exporter import Document, Exporter

__all__ = ["Document", "Exporter"]
