"""Answers of an MTConnect agent, in the messages of the port; the tables hold what their documents say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from random import Random
from typing import Any, Final

from readers.codecs import mtconnect
from readers.errors import FrameError
from readers.http_messages import MOST_BODY_BYTES, Answer, encode
from simulator.machines.mtconnect import Agent
from simulator.world.warping import WarpingMachine
from tests.support.codecs import CodecCase

BEGAN_US: Final = 1_767_225_600_000_000


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = mtconnect.Decoder()
    found: list[dict[str, Any]] = []
    rejects: dict[str, int] = {}
    for piece in pieces:
        for answer in decoder.feed(piece):
            table: dict[str, Any] = {"status": answer.status, "hex": encode(answer).hex(" ").upper()}
            try:
                document = mtconnect.read_document(answer.body)
            except FrameError as error:
                rejects[error.reason] = rejects.get(error.reason, 0) + 1
                continue
            table |= {
                "root": document.root,
                "instance": document.header.instance,
                "following": document.header.following,
            }
            table["devices"] = [device.name for device in document.devices]
            table["observations"] = [f"{each.item} {each.kind} {each.text}".strip() for each in document.observations]
            table["errors"] = [code for code, _ in document.errors]
            found.append(table)
            assert asdict(document)
    return found, {**rejects, **decoder.take_rejects()}


def sample(rng: Random) -> bytes:
    machine = WarpingMachine(rng.randrange(100), BEGAN_US)
    agent = Agent(machine, size=rng.choice([8, 32]), names=("Warper-1",))
    now_us = BEGAN_US + rng.randrange(3_600_000_000)
    agent.answer("/current", now_us)
    path = rng.choice(["/probe", "/current", f"/sample?from={rng.randrange(60)}&count=20", "/nothing"])
    return encode(agent.answer(path, now_us + rng.randrange(60_000_000)))


def repaired(data: bytes) -> bytes:
    """The head put right, so that what is wrong is in the document."""
    _, _, body = data.partition(b"\n")
    return encode(Answer(200, body[:MOST_BODY_BYTES]))


CASE: Final = CodecCase(
    "mtconnect",
    tables,
    mtconnect.Decoder,
    sample,
    most_held_bytes=MOST_BODY_BYTES + 13,
    drivers={"mtconnect": ({}, {"signals": [{"name": "speed", "item": "speed", "unit": "mm/s"}], "poll_s": 0.1})},
    repaired=repaired,
)
