"""The first steps of a connection; `test_session.py` and `test_station.py` take them with a reader."""

from __future__ import annotations

import pytest

from readers.errors import LinkError, ReaderBusyError
from readers.ports.memory import pair, run
from readers.rfid.llrp import answers, handshake


def accepted(first_type: int | None, event: answers.Event | None) -> None:
    async def talk() -> None:
        handshake.accepted(pair("memory")[0], first_type, event)

    run(talk())


def test_a_successful_attempt_is_taken() -> None:
    accepted(63, answers.Event(connection_attempt=0))


@pytest.mark.parametrize("status", [1, 2])
def test_a_reader_that_is_held_is_busy(status: int) -> None:
    with pytest.raises(ReaderBusyError, match="another client holds this reader"):
        accepted(63, answers.Event(connection_attempt=status))


@pytest.mark.parametrize(
    ("first_type", "event"),
    [(62, None), (63, None), (63, answers.Event()), (63, answers.Event(connection_attempt=3)), (None, None)],
)
def test_anything_else_is_no_connection(first_type: int | None, event: answers.Event | None) -> None:
    with pytest.raises(LinkError):
        accepted(first_type, event)
