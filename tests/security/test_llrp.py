"""Every attack inside LLRP: as the tag that a reader reports, as messages, and before and after the handshake."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from readers.errors import FrameError, LinkError, ReaderError
from readers.observations import Observation, Rejected, TagReads
from readers.ports.memory import run
from readers.rfid.llrp import framing, reports
from tests.readers.rfid.llrp.scripted import Talk, attempt, event, status, tag
from tests.security.attacks import IDS, PAYLOADS, epc_data, message, report, tlv
from tests.security.bounds import bounded
from tests.security.judging import judged
from tests.security.stores import lines

MOST_EPC_BYTES: Final = 8_191
"""What 16 bits of length can say."""
FLOOD: Final = 20_000


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_tag_that_a_reader_reports(payload: bytes) -> None:
    epc = payload[:MOST_EPC_BYTES]
    whole = report(epc_data(epc), b"\x81\x00\x01")
    found = bounded(lambda: reports.decode(whole[10:], 1), len(whole), extra_bytes=64 << 10)
    heard = [each for each in found if isinstance(each, TagReads)]
    assert [list(each.epc) for each in heard] == [[epc]]
    rows, refused = lines(judged(list(heard)))
    assert refused == 0
    assert [row.fields["epc"] for row in rows if row.measurement == "tag_read"] == [epc.hex().upper()]


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_messages_and_parameters(payload: bytes) -> None:
    inside = payload[:60_000]
    for stream in (payload, message(61, payload), report(inside), message(63, tlv(246, inside))):

        def feed(stream: bytes = stream) -> list[Observation]:
            found: list[Observation] = []
            try:
                for each in framing.Framer().feed(stream):
                    for parameter in framing.parameters(each.payload):
                        assert len(parameter.value) <= len(each.payload)
                    found += reports.decode(each.payload, 1)
            except FrameError:
                pass
            return found

        # What a hostile message costs, it costs once: a layout is learnt, and a reject keeps a sample.
        found = bounded(feed, len(stream), extra_bytes=512 << 10)
        assert sum(len(each) for each in found if isinstance(each, TagReads)) <= max(1, len(stream) // 4)
        lines(judged([each for each in found if isinstance(each, TagReads)]))


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_reader_that_says_so_at_every_step(payload: bytes) -> None:
    short = payload[:20_000]

    async def scene() -> None:
        for kind in (None, 1, 2, 3, 20, 26):
            talk = Talk(keepalive_s=2)
            if kind is None:
                talk.reader.opening = short
            else:
                talk.reader.replies[kind] = short
            await talk.start()
            assert talk.driver is not None
            await asyncio.wait({talk.driver}, timeout=60.0)
            if talk.driver.done():
                assert isinstance(talk.driver.exception(), ReaderError)
            await talk.stop()

        talk = Talk(keepalive_s=2)
        await talk.start()
        assert talk.driver is not None
        await asyncio.wait({talk.driver}, timeout=2.0)
        assert not talk.driver.done()
        await talk.theirs.send(payload)
        talk.reader.say(61, tag(b"\x30" * 12))
        await talk.reader.flush()
        await asyncio.wait({talk.driver}, timeout=30.0)
        if talk.driver.done():
            assert isinstance(talk.driver.exception(), ReaderError)
        await talk.stop()

    run(scene())


def test_a_text_of_the_reader_cannot_steer_who_reads_the_error() -> None:
    hostile = "\x1b[2J\n<0>x\u202e" + "A" * 60_000

    async def scene() -> BaseException:
        talk = Talk()
        talk.reader.replies[20] = status(100, hostile)
        return await talk.failure()

    text = str(run(scene()))
    assert text.isprintable()
    assert len(text) < 2_000


@pytest.mark.parametrize("code", [1, 2, 3, 4, 9, 0xFFFF])
def test_a_connection_that_is_refused_for_ever_ends_at_once_each_time(code: int) -> None:
    async def scene() -> None:
        for _ in range(20):
            talk = Talk()
            talk.reader.opening = event(attempt(code))
            error = await talk.failure(within_s=5.0)
            assert isinstance(error, ReaderError)
            assert talk.reader.received == [] or {kind for kind, _, _ in talk.reader.received} <= {14}
            assert talk.of(TagReads) == []

    run(scene())


def test_a_flood_of_keepalives_is_answered_and_holds_nothing() -> None:
    async def scene() -> None:
        talk = Talk(keepalive_s=2)
        await talk.start()
        assert talk.driver is not None
        await asyncio.wait({talk.driver}, timeout=2.0)
        for number in range(FLOOD):
            talk.reader.say(62, message_id=number)
        talk.reader.say(61, tag(b"\x31" * 12))
        await talk.reader.flush()
        await asyncio.wait({talk.driver}, timeout=20.0)
        if talk.driver.done():
            assert isinstance(talk.driver.exception(), LinkError)
        else:
            answered = [number for kind, number, _ in talk.reader.received if kind == 72]
            assert len(answered) >= FLOOD
            assert [list(each.epc) for each in talk.of(TagReads) if isinstance(each, TagReads)][-1] == [b"\x31" * 12]
        await talk.stop()

    run(scene())


def test_damage_is_counted_and_says_why() -> None:
    found = reports.decode(report(tlv(241, b"\0\x60ab", 0xFFFF))[10:], 1)
    assert [type(each) for each in found] == [Rejected]
    assert [each.reason for each in found if isinstance(each, Rejected)] != [""]
