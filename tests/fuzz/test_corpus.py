"""What fuzzing found, and what leads deep into each codec, stays well: the same properties without the fuzzer."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from readers.codecs import m100
from tests.fuzz.targets import CORPUS, Target, _codec, targets
from tests.support.codecs import cases

TARGETS = targets()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_every_kept_input_is_taken_well(target: Target) -> None:
    inputs = target.inputs()
    assert inputs
    for data in inputs:
        target.run(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_damaged_inputs_are_taken_well(target: Target) -> None:
    rng = Random(target.name)
    for data in target.inputs()[:40]:
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 6])):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        target.run(bytes(changed))


def test_the_corpus_belongs_to_targets() -> None:
    assert {path.stem for path in CORPUS.glob("*.txt")} <= TARGETS.keys()


def test_a_codec_that_depends_on_the_slicing_is_found() -> None:
    class Hasty(m100.Decoder):
        def feed(self, data: bytes) -> list[m100.Frame]:
            frames = super().feed(data)
            self.gap()
            return frames

    def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, object]], dict[str, int]]:
        decoder = Hasty()
        return [{"c": f.command} for piece in pieces for f in decoder.feed(piece)], decoder.take_rejects()

    case = cases()["m100"]
    broken = _codec(type(case)(case.name, tables, Hasty, case.sample, case.most_held_bytes))
    with pytest.raises(AssertionError, match="slicing"):
        broken.run(b"\x00" + case.sample(Random(1)))
