from __future__ import annotations

import asyncio

import pytest

from readers.codecs.modbus import Frame, Function, encode_rtu, encode_tcp, packed_bits, read_request
from readers.machines.modbus_io.line import ANSWER_WITHIN_S, TRIES, Line, SilentError
from readers.machines.modbus_io.settings import ModbusIoSettings
from readers.observations import Observation, Rejected
from readers.ports.memory import pair, run

REQUEST = read_request(1, Function.READ_DISCRETE_INPUTS, 0, 2)
MODULES = [{"inputs": [{"name": "a", "address": 0}]}]


def settings(framing: str) -> ModbusIoSettings:
    return ModbusIoSettings.model_validate({"modules": MODULES, "framing": framing})


def test_a_foreign_answer_is_counted_and_the_right_one_taken() -> None:
    async def scene() -> None:
        ours, device = pair()
        line = Line(settings("tcp"), ours)
        asking = asyncio.create_task(line.ask(REQUEST))
        await device.pause(0.1)
        await device.send(encode_tcp(Frame(1, 2, packed_bits([True, False]), transaction=99)))
        await device.send(encode_tcp(Frame(1, 2, packed_bits([False, True]), transaction=1)))
        assert (await asking).data == packed_bits([False, True])
        heard: list[Observation] = []
        line.tell_rejects(heard.append)
        assert [(each.reason, each.count) for each in heard if isinstance(each, Rejected)] == [("foreign_answer", 1)]

    run(scene())


def test_silence_is_asked_three_times_and_then_told() -> None:
    async def scene() -> None:
        ours, device = pair()
        began_s = ours.monotonic_s()
        with pytest.raises(SilentError, match="did not answer 3 requests"):
            await Line(settings("rtu"), ours).ask(REQUEST)
        assert ours.monotonic_s() - began_s == pytest.approx(TRIES * ANSWER_WITHIN_S)
        assert await device.receive(0) == encode_rtu(REQUEST) * TRIES

    run(scene())
