"""Every vector file against its driver and codec, in every slicing."""

from __future__ import annotations

import pytest

from tests.support.codecs import cases
from tests.support.vectors import SLICINGS, Slicing, Vector, load, replay

EXCHANGES = load("exchange")
FRAMES = load("frame")


@pytest.mark.parametrize("slicing", SLICINGS.values(), ids=SLICINGS.keys())
@pytest.mark.parametrize("vector", EXCHANGES, ids=str)
def test_a_driver_has_the_recorded_conversation(vector: Vector, slicing: Slicing) -> None:
    replay(vector, slicing)


@pytest.mark.parametrize("slicing", SLICINGS.values(), ids=SLICINGS.keys())
@pytest.mark.parametrize("vector", FRAMES, ids=str)
def test_a_codec_reads_the_published_frame(vector: Vector, slicing: Slicing) -> None:
    table = vector.table
    frames, rejects = cases()[vector.driver].tables(list(slicing(bytes.fromhex(table["hex"]))))
    if "reject" in table:
        assert not frames
        assert table["reject"] in rejects
        return
    wanted = {key: value for key, value in table.items() if key not in ("name", "source", "meaning")}
    assert len(frames) == 1
    assert {**frames[0], **wanted} == frames[0]
    assert not rejects


def test_there_are_vectors_of_every_codec() -> None:
    assert {vector.driver for vector in FRAMES} >= cases().keys()
    drivers = {name for case in cases().values() for name in case.drivers}
    assert {vector.driver for vector in EXCHANGES} >= drivers
