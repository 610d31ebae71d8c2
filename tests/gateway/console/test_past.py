import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.console.page import Console
from gateway.console.past import answer, whole_number
from gateway.history import DayFiles, QuestionTimeoutError
from tests.support.console import make_console


def asked(console: Console, error: Exception | None = None) -> tuple[int, Any]:
    def question(days: DayFiles) -> dict[str, str]:
        if error is not None:
            raise error
        return {"directory": days.directory.name}

    response = asyncio.run(answer(console, question))
    return response.status_code, json.loads(bytes(response.body))


def test_a_question_is_answered_or_refused_in_words(tmp_path: Path) -> None:
    console = make_console(tmp_path)
    assert asked(console) == (200, {"directory": "events"})
    assert asked(console, ValueError("limit = 0: must be 1 to 5")) == (400, {"error": "limit = 0: must be 1 to 5"})
    assert asked(console, QuestionTimeoutError("ask about a shorter time"))[0] == 503


def test_where_no_journal_is_kept_nobody_knows_the_past(tmp_path: Path) -> None:
    sink = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'
    status, body = asked(make_console(tmp_path, sink))
    assert (status, "keeps no event journal" in body["error"]) == (409, True)


@pytest.mark.parametrize(("text", "number"), [("", 7), ("1", 1), ("50", 50)])
def test_a_number_is_taken(text: str, number: int) -> None:
    assert whole_number({"limit": text}, "limit", 7, 50) == number


@pytest.mark.parametrize("text", ["0", "51", "-1", "1.5", "x", "٣", "1" * 5000])
def test_a_number_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number from 1 to 50"):
        whole_number({"limit": text}, "limit", 7, 50)
