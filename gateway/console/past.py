"""Questions of pages to the event journal: asked in a thread, answered as JSON, refused in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.responses import Response

from gateway.console.page import Console, as_json, refusal
from gateway.history import DayFiles, QuestionTimeoutError

NO_JOURNAL: Final = 'this site keeps no event journal; a [[sink]] with kind = "journal" does'


async def answer(console: Console, question: Callable[[DayFiles], Any]) -> Response:
    """What the event journal answers; 409 where there is none, 400 for what cannot be asked, 503 for too much."""
    if console.events is None:
        return refusal(NO_JOURNAL, 409)
    try:
        return as_json(await asyncio.to_thread(question, DayFiles(console.events)))
    except QuestionTimeoutError as error:
        return refusal(str(error), 503)
    except ValueError as error:
        return refusal(str(error), 400)


def whole_number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A parameter from 1 to `most`; raises ValueError."""
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise ValueError(f"{name}: {text[:20]!r} must be a number from 1 to {most}")
    return int(text)
