"""Work on tags in a session of its own, while an inventory of another one goes on around it."""

from __future__ import annotations

import asyncio

import pytest

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.m100 import Command, Frame, FrameType
from readers.codecs.m100_access import Query
from readers.observations import Condition, Observation
from readers.ports.memory import run
from readers.rfid.m100.conversation import Conversation
from readers.rfid.m100.memory import TagMemoryWork
from readers.rfid.m100.settings import M100Settings
from simulator.rfid.m100 import Module, serve
from tests.support.m100_scenes import EPCS, TID_96, confirming, tag
from tests.support.shelf import Shelf
from tests.support.talk import linked

EPC = EPCS[1]
S2 = Query(session=2, target=1, q=5)


def work_in_s2(module: Module | None, device_answers: dict[int, list[Frame]] | None = None) -> list[Observation]:
    """Read a TID while the inventory is in session S2, target B, and leave all as it was."""
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = linked()
        shelf = Shelf(tag(EPC))
        answers = confirming(device_answers) if device_answers is not None else None
        twin = asyncio.create_task(answers(device) if answers else serve(device, shelf, module))
        talk = Conversation(M100Settings(), ours, heard.append)
        await talk.identify()
        work = TagMemoryWork(talk, S2)
        await work.begin()
        try:
            assert (await work.read(EPC, Bank.TID, 0, 6)).data == TID_96
        finally:
            await work.end()
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    run(scene())
    return heard


def test_work_is_done_in_session_s0() -> None:
    assert not [o for o in work_in_s2(Module(query=S2)) if isinstance(o, Condition)]


def test_where_the_query_cannot_be_changed_the_work_may_find_no_tag() -> None:
    module = Module(query=S2, unknown=frozenset({Command.SET_QUERY}))
    with pytest.raises(AccessError) as caught:
        work_in_s2(module)
    assert caught.value.fault is AccessFault.NO_TAG


def test_a_query_that_cannot_be_put_back_is_said() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = linked()
        refuse = [Frame(FrameType.RESPONSE, Command.ERROR, b"\x17")]
        answers: dict[int, list[Frame]] = {}
        twin = asyncio.create_task(confirming(answers)(device))
        talk = Conversation(M100Settings(), ours, heard.append)
        await talk.identify()
        work = TagMemoryWork(talk, S2)
        await work.begin()
        answers[int(Command.SET_QUERY)] = refuse
        await work.end()
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)

    run(scene())
    [condition] = [o for o in heard if isinstance(o, Condition)]
    assert (condition.name, condition.key, condition.detail) == (
        "setting_differs",
        "query",
        "the Query could not be put back: error 17",
    )
