from __future__ import annotations

import asyncio
from collections.abc import Sequence

from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.ports.memory import MemoryPort, pair, run
from simulator.meters.dlms import DEVICE, Behaviour, Framing, Meter, serve
from tests.simulator.meters.loads import Steady

AARQ = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400007E1FFFFF")
PUBLISHED_SNRM = bytes.fromhex("7EA00A00020023219318717E")
PUBLISHED_UA = bytes.fromhex("7EA023210002002373F6C58180140502008006020080070400000001080400000001CE6A7E")


def answers(
    meters: Sequence[Meter], framing: Framing, sent: Sequence[bytes], baud: int | None = None
) -> tuple[list[bytes], float]:
    """What comes back to each of these, and when the last of it came."""

    async def main() -> tuple[list[bytes], float]:
        ours, theirs = pair("twin")
        serving = asyncio.create_task(serve(theirs, meters, framing, baud=baud))
        found = []
        for raw in sent:
            await ours.send(raw)
            found.append(await all_of(ours))
        at_s = last[0]
        serving.cancel()
        return found, at_s

    last = [0.0]

    async def all_of(port: MemoryPort) -> bytes:
        told = b""
        while data := await port.receive(5.0):
            told += data
            last[0] = port.monotonic_s()
        return told

    return run(main())


def test_the_name_is_that_of_the_driver() -> None:
    assert DEVICE == "dlms"


def test_the_published_snrm_gets_the_published_ua() -> None:
    meter = Meter(Steady(), physical=17, address_bytes=4)
    assert answers([meter], Framing.HDLC, [PUBLISHED_SNRM])[0] == [PUBLISHED_UA]


def test_each_meter_of_a_line_answers_for_itself() -> None:
    meters = [Meter(Steady(), physical=n) for n in (17, 18)]
    snrm = [
        dlms_hdlc.encode(dlms_hdlc.Frame(dlms_hdlc.Address(1, n, 2), dlms_hdlc.Address(16), 0x93)) for n in (18, 19)
    ]
    (first, second), _ = answers(meters, Framing.HDLC, snrm)
    (frame,) = dlms_hdlc.Decoder().feed(first)
    assert frame.source == dlms_hdlc.Address(1, 18, 2)
    assert second == b""


def test_a_line_takes_its_time() -> None:
    meter = Meter(Steady(), physical=17, address_bytes=4)
    _, slow_s = answers([meter], Framing.HDLC, [PUBLISHED_SNRM], baud=300)
    _, fast_s = answers([meter], Framing.HDLC, [PUBLISHED_SNRM])
    assert slow_s - fast_s > (len(PUBLISHED_SNRM) + len(PUBLISHED_UA)) * 10 / 300 * 0.99


def test_logical_devices_behind_the_wrapper() -> None:
    meters = [Meter(Steady(), logical=1), Meter(Steady(), logical=2, behaviour=Behaviour(silent=True))]
    asked = [dlms_wrapper.encode(dlms_wrapper.Frame(16, n, AARQ)) for n in (1, 2, 3)]
    (first, *rest), _ = answers(meters, Framing.WRAPPER, asked)
    (frame,) = dlms_wrapper.Decoder().feed(first)
    assert (frame.source, frame.destination, frame.apdu[0]) == (1, 16, 0x61)
    assert rest == [b"", b""]


def test_answers_get_lost_as_told() -> None:
    meter = Meter(Steady(), behaviour=Behaviour(loses_reply=lambda number: number == 1))
    asked = [dlms_wrapper.encode(dlms_wrapper.Frame(16, 1, AARQ))] * 2
    (first, second), _ = answers([meter], Framing.WRAPPER, asked)
    assert first == b""
    assert second
