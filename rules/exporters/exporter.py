"""An exporter: events of ours become documents of others. Pure; sinks carry the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.contract.events import Event


class Document(NamedTuple):
    """One document.

    Attributes:
        name: a file name without folders, the same for the same events: `[A-Za-z0-9_.-]`.
    """

    name: str
    body: bytes


class Exporter(Protocol):
    """A format of others."""

    @property
    def name(self) -> str:
        """What the format is called in the site file."""

    @property
    def content_type(self) -> str:
        """Media type of its documents."""

    def export(self, events: Sequence[Event]) -> list[Document]:
        """The documents that these events become; the same events become the same bytes. Others are left out."""
