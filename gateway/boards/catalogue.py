"""Finds the boards: every module of this package that has a `BOARD`. In English and in Chinese."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import gateway.boards
from gateway.boards.chinese.text import ZH
from gateway.boards.making.board import Board
from gateway.boards.making.looks import Json

FOLDER: Final = Path("grafana/boards")
LANGUAGES: Final = ("en", "zh")


@cache
def found() -> dict[str, Board]:
    """All boards by name, sorted.

    Raises:
        ValueError: two boards have one name.
    """
    boards: dict[str, Board] = {}
    for module in pkgutil.iter_modules(gateway.boards.__path__):
        board = getattr(importlib.import_module(f"gateway.boards.{module.name}"), "BOARD", None)
        if isinstance(board, Board):
            if board.name in boards:
                raise ValueError(f"two boards are named {board.name!r}: rename one of them")
            boards[board.name] = board
    return dict(sorted(boards.items()))


def boards() -> dict[str, Json]:
    """Each board as Grafana has it, by path below `grafana/boards`: `en/port-gate.json`."""
    return {
        f"{language}/{board.name}.json": board.json(_sayer(language), language)
        for language in LANGUAGES
        for board in found().values()
    }


def documents() -> dict[Path, str]:
    """The files of the boards, by path in the source tree."""
    return {FOLDER / path: f"{json.dumps(board, indent=2, ensure_ascii=False)}\n" for path, board in boards().items()}


def texts() -> set[str]:
    """Every English text of every board."""
    heard: set[str] = set()

    def say(text: str) -> str:
        heard.add(text)
        return text

    for board in found().values():
        board.json(say, "en")
    return heard


def _sayer(language: str) -> Callable[[str], str]:
    return (lambda text: text) if language == "en" else (lambda text: ZH.get(text, text))
