"""Finds the pages: every module of `gateway.console.pages` with the constant `PAGE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from gateway.console import pages
from gateway.console.page import Page


@cache
def all_pages() -> tuple[Page, ...]:
    """Every page, in the order of the menu; those outside it last."""
    found: list[Page] = []
    for info in pkgutil.iter_modules(pages.__path__):
        module = importlib.import_module(f"{pages.__name__}.{info.name}")
        if isinstance(page := getattr(module, "PAGE", None), Page):
            found.append(page)
    return tuple(sorted(found, key=lambda page: (page.order is None, page.order or 0, page.name)))
