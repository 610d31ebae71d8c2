"""What is fuzzed: every codec of `tests/support/codecs`, and the decoders that are no codec of a stream.

A target takes any bytes and asserts what must hold for all of them; a FrameError is an answer, anything else a find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from readers.errors import FrameError
from readers.observations import TagReads
from readers.rfid.llrp import framing, reports
from readers.tagdata.tag import decode_tag
from tests.support.codecs import CodecCase, cases
from tests.support.vectors import load

CORPUS: Final = Path(__file__).parent / "corpus"
SAMPLES: Final = 8
_PIECE_MOST: Final = 16
_PC_BYTES: Final = 2


@dataclass(frozen=True)
class Target:
    """One thing to fuzz; `seeds` are inputs that lead deep into it."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]

    def inputs(self) -> list[bytes]:
        """Seeds, and what earlier runs found worth keeping."""
        return [*self.seeds(), *kept(self.name)]


def kept(name: str) -> list[bytes]:
    """The kept corpus of a target."""
    path = CORPUS / f"{name}.txt"
    return [bytes.fromhex(line) for line in path.read_text().split()] if path.exists() else []


@cache
def targets() -> dict[str, Target]:
    """All targets by name."""
    found = [_codec(case) for case in cases().values()]
    found += [
        Target("llrp_framing", _llrp_framing, _llrp_messages),
        Target("llrp_reports", _llrp_reports, lambda: (message[10:] for message in _llrp_messages())),
        Target("tagdata", _tag, _tags),
    ]
    return {target.name: target for target in sorted(found, key=lambda target: target.name)}


def _codec(case: CodecCase) -> Target:
    def run(data: bytes) -> None:
        stream, size = data[1:], 1 + data[0] % _PIECE_MOST if data else 1
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        decoder = case.decoder()
        for piece in pieces:
            decoder.feed(piece)
            assert decoder.holds <= case.most_held_bytes, f"{decoder.holds} bytes are held"
        decoder.gap()
        assert not decoder.holds, "a pause ends every frame"
        try:
            whole, rejects = case.tables([stream])
            sliced, sliced_rejects = (whole, rejects) if case.tables_use_gap else case.tables(pieces)
        except FrameError:
            return
        assert sliced == whole, "the slicing matters"
        # which check fails first may depend on how much has come, but not how often one fails
        assert sum(sliced_rejects.values()) == sum(rejects.values()), "the slicing matters to the counters"

    def seeds() -> Iterator[bytes]:
        rng = Random(case.name)
        for _ in range(SAMPLES):
            yield rng.randbytes(1) + case.sample(rng) + case.sample(rng)
        for vector in load("frame"):
            if vector.driver == case.name:
                yield b"\x00" + bytes.fromhex(vector.table["hex"])

    return Target(case.name, run, seeds)


def _llrp_framing(data: bytes) -> None:
    framer = framing.Framer()
    size = 1 + data[0] % _PIECE_MOST if data else 1
    for start in range(1, len(data), size):
        try:
            for message in framer.feed(data[start : start + size]):
                for parameter in framing.parameters(message.payload):
                    assert len(parameter.value) <= len(message.payload)
        except FrameError:
            return


def _llrp_reports(data: bytes) -> None:
    for observed in reports.decode(data, 0):
        assert len(list(observed.rows())) == len(observed) if isinstance(observed, TagReads) else observed.count


def _llrp_messages() -> Iterator[bytes]:
    for vector in load("exchange"):
        if vector.driver == "llrp":
            for step in vector.table["steps"]:
                if "receive" in step:
                    yield bytes.fromhex(step["receive"])


def _tag(data: bytes) -> None:
    pc_bits = int.from_bytes(data[:_PC_BYTES], "big") if data[:1] != b"\xff" else None
    tag = decode_tag(data[_PC_BYTES:], pc_bits)
    assert tag.scheme


def _tags() -> Iterator[bytes]:
    for text in ("3074257BF7194E4000001A85", "3174257BF4499602D2000000", "30751FEB705C5904E3D50D70"):
        yield b"\x30\x00" + bytes.fromhex(text)
    yield b"\x31\xa9" + bytes.fromhex("DC20420C4C72CF4D76DE1820")
