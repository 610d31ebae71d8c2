from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from readers.access import Bank
from readers.codecs.m100 import Command, Frame, FrameType, encode
from readers.codecs.m100_access import Query, Select
from readers.errors import DeviceRefusedError
from readers.observations import Condition, InForce, Observation, Rejected
from readers.ports.memory import run
from readers.rfid.m100 import M100Driver, M100Settings, SelectBank, SelectSettings
from simulator.rfid.m100 import Module, serve
from tests.support.m100_scenes import EPCS, TID_64, TID_96, Tags, answering, conditions, listen, tag, tags_in
from tests.support.shelf import Shelf
from tests.support.talk import linked


def test_power_that_the_module_cuts_is_a_named_fault() -> None:
    heard = listen(5, M100Settings(tx_power_dbm=33.0))
    found = [o for o in heard if isinstance(o, Condition)]
    assert [(o.name, o.key, o.detail) for o in found] == [
        ("setting_differs", "tx_power_dbm", "33 dBm asked, 26 dBm in force")
    ]
    assert tags_in(heard)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (Module(unknown=frozenset({Command.SET_POWER})), "setting_differs"),
        (Module(unknown=frozenset({Command.GET_POWER})), "setting_unverified"),
        (Module(mute=frozenset({Command.GET_POWER})), "setting_unverified"),
    ],
)
def test_power_that_cannot_be_set_or_read_back_is_said(module: Module, name: str) -> None:
    heard = listen(10, module=module)
    assert [(o.name, o.key) for o in heard if isinstance(o, Condition)] == [(name, "tx_power_dbm")]
    assert tags_in(heard)


def test_the_region_is_set_and_read_back() -> None:
    heard = listen(5, M100Settings.model_validate({"region": "eu"}))
    assert tags_in(heard)
    assert not [o for o in heard if isinstance(o, Condition)]


def test_a_region_that_cannot_be_verified_is_said() -> None:
    settings = M100Settings.model_validate({"region": "us"})
    heard = listen(10, settings, Module(unknown=frozenset({Command.GET_REGION})))
    assert [(o.name, o.key) for o in heard if isinstance(o, Condition)] == [("setting_unverified", "region")]


def test_a_refused_region_parks_the_reader() -> None:
    settings = M100Settings.model_validate({"region": "us"})
    with pytest.raises(DeviceRefusedError, match=r"settings\.region = us: the module refuses it with error 17"):
        listen(10, settings, Module(unknown=frozenset({Command.SET_REGION})))


def test_the_query_is_set_and_read_back() -> None:
    settings = M100Settings(session=2, target="b", q=7)
    heard = listen(5, settings)
    assert not [o for o in heard if isinstance(o, Condition)]
    assert [o.values for o in heard if isinstance(o, InForce)] == [
        {"region": "cn_920", "tx_power_dbm": "20", "session": "2", "target": "b", "q": "7"}
    ]


def test_nothing_is_asked_of_the_query_when_nothing_is_set() -> None:
    heard = listen(5, module=Module(unknown=frozenset({Command.GET_QUERY, Command.SET_QUERY, Command.SELECT_MODE})))
    assert not [o for o in heard if isinstance(o, Condition)]
    assert tags_in(heard)


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        (Command.SET_QUERY, [("setting_differs", "query")]),
        (Command.GET_QUERY, [("setting_unverified", "query")]),
    ],
)
def test_a_query_that_cannot_be_set_or_read_back_is_said(unknown: Command, told: list[tuple[str, str]]) -> None:
    heard = listen(10, M100Settings(session=1), Module(unknown=frozenset({unknown})))
    assert conditions(heard) == told
    assert tags_in(heard)


def test_a_query_that_the_module_keeps_otherwise_is_said() -> None:
    kept = Frame(FrameType.RESPONSE, Command.GET_QUERY, Query(session=0, q=4).parameters())
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    answers = {Command.GET_QUERY: [kept], Command.GET_POWER: [power]}
    heard = answering(0.9, {int(k): v for k, v in answers.items()}, M100Settings(session=3, target="a", q=5))
    assert [(o.key, o.detail) for o in heard if isinstance(o, Condition)] == [
        ("session", "3 asked, 0 in force"),
        ("q", "5 asked, 4 in force"),
    ]


def test_a_query_answer_of_another_length_is_rejected() -> None:
    short = Frame(FrameType.RESPONSE, Command.GET_QUERY, b"\x10")
    heard = answering(0.9, {int(Command.GET_QUERY): [short]}, M100Settings(session=3))
    assert "query" in [o.reason for o in heard if isinstance(o, Rejected)]


@pytest.mark.parametrize("target", ["a", "b"])
@pytest.mark.parametrize("session", [0, 1, 2, 3])
@pytest.mark.parametrize("mask", ["3075", "30751FE", "30751FEB705C5904E3D50D70"])
def test_only_tags_that_the_mask_fits_are_read(mask: str, session: int, target: Literal["a", "b"]) -> None:
    settings = M100Settings(select=SelectSettings(mask=mask), session=session, target=target)
    heard = listen(10, settings)
    assert set(tags_in(heard)) == {EPCS[1]}
    assert not [o for o in heard if isinstance(o, Condition)]


def test_tags_are_chosen_by_their_tid_too() -> None:
    shelf = Shelf(tag(EPCS[0], TID_96), tag(EPCS[1], TID_64))
    settings = M100Settings(select=SelectSettings(mask="E2003412", bank=SelectBank.TID, pointer_bits=0))
    assert set(tags_in(listen(3, settings, tags=shelf))) == {EPCS[1]}


def test_a_refused_select_parks_the_reader() -> None:
    settings = M100Settings(select=SelectSettings(mask=EPCS[0].hex()))
    with pytest.raises(DeviceRefusedError, match=r"settings\.select\.mask = bb7e.*refuses it with error 17"):
        listen(10, settings, Module(most_mask_bits=64))


def test_a_select_that_the_module_keeps_otherwise_parks_the_reader() -> None:
    kept = Frame(FrameType.RESPONSE, Command.GET_SELECT, bytes(7))
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    query = Frame(FrameType.RESPONSE, Command.GET_QUERY, Query().parameters())
    answers = {int(Command.GET_SELECT): [kept], int(Command.GET_POWER): [power], int(Command.GET_QUERY): [query]}
    with pytest.raises(
        DeviceRefusedError, match=r"Select 010000002008003.* was asked, the module keeps 00000000000000"
    ):
        answering(5, answers, M100Settings(select=SelectSettings(mask="30")))


def test_a_select_that_a_former_client_has_left_hides_no_tags() -> None:
    hide = encode(Frame(FrameType.COMMAND, Command.SET_SELECT, Select(Bank.EPC, 32, b"\xff\xff", 16).parameters()))
    always = encode(Frame(FrameType.COMMAND, Command.SELECT_MODE, b"\x00"))

    async def scene() -> list[Observation]:
        ours, device = linked()
        twin = asyncio.create_task(serve(device, Tags(EPCS)))
        await ours.send(hide + always)
        await ours.pause(0.1)
        heard: list[Observation] = []
        running = asyncio.create_task(M100Driver(M100Settings()).run(ours, heard.append))
        await ours.pause(5)
        running.cancel()
        twin.cancel()
        await asyncio.gather(running, twin, return_exceptions=True)
        return heard

    assert set(tags_in(run(scene()))) == set(EPCS)


@pytest.mark.parametrize("answer", [Command.SELECT_MODE, Command.SET_SELECT])
def test_both_answers_to_the_select_mode_are_known(answer: Command) -> None:
    settings = M100Settings(select=SelectSettings(mask="3075"))
    assert set(tags_in(listen(3, settings, Module(select_mode_answer=answer)))) == {EPCS[1]}


def test_a_channel_is_fixed_and_read_back() -> None:
    heard = listen(3, M100Settings(channels=(7,)))
    assert not [o for o in heard if isinstance(o, Condition)]
    assert [o.values["channel"] for o in heard if isinstance(o, InForce)] == ["7"]


def test_channels_are_hopped_over() -> None:
    heard = listen(3, M100Settings(channels=(1, 3, 5)))
    assert not [o for o in heard if isinstance(o, Condition)]
    assert tags_in(heard)


@pytest.mark.parametrize("channels", [(99,), (1, 99)])
def test_channels_that_the_region_lacks_are_said(channels: tuple[int, ...]) -> None:
    heard = listen(3, M100Settings(channels=channels))
    assert conditions(heard) == [("setting_differs", "channels")]


def test_a_channel_that_the_module_keeps_otherwise_is_said() -> None:
    power = Frame(FrameType.RESPONSE, Command.GET_POWER, bytes.fromhex("07D0"))
    heard = answering(0.9, {int(Command.GET_POWER): [power]}, M100Settings(channels=(4,)))
    assert [o.detail for o in heard if isinstance(o, Condition)] == ["[4] asked, [0] in force"]


def test_a_channel_that_cannot_be_read_back_is_said() -> None:
    heard = listen(3, M100Settings(channels=(4,)), Module(unknown=frozenset({Command.GET_CHANNEL})))
    assert conditions(heard) == [("setting_unverified", "channels")]


def test_a_region_that_the_module_does_not_tell_is_not_missed() -> None:
    heard = listen(3, module=Module(unknown=frozenset({Command.GET_REGION})))
    assert not [o for o in heard if isinstance(o, Condition)]
    assert [dict(o.values) for o in heard if isinstance(o, InForce)] == [{"tx_power_dbm": "20"}]


def test_a_region_that_is_not_kept_parks_the_reader() -> None:
    kept = Frame(FrameType.RESPONSE, Command.GET_REGION, b"\x01")
    with pytest.raises(DeviceRefusedError, match=r"region = us \(code 02\) was asked, the module keeps code 01"):
        answering(5, {int(Command.GET_REGION): [kept]}, M100Settings.model_validate({"region": "us"}))
