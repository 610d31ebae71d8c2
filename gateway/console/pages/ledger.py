"""The loss ledger; all of it comes by the stream."""

from __future__ import annotations

from typing import Final

from gateway.console.page import Page

PAGE: Final = Page("ledger", order=100)
