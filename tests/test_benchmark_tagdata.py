"""The benchmark of tag codes still runs, small. What it measures is no test's business."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import tagdata
from readers.tagdata.tag import decode_tag


@pytest.mark.parametrize("scheme", [*tagdata.EPCPY_SCHEMES, "gid-96", "sgtin+", "sgtin++", "iso-17363", "private"])
def test_the_codes_that_are_measured_are_of_their_scheme(scheme: str) -> None:
    codes = {tagdata.tag(scheme, number) for number in range(1, 20)}
    assert len(codes) == 19
    assert {decode_tag(*code).scheme for code in codes} == {scheme}


def test_both_decoders_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagdata, "TAGS_A_ROUND", 50)
    monkeypatch.setattr(tagdata, "EPCPY_TAGS_A_ROUND", 20)
    monkeypatch.setattr(tagdata, "ROUNDS", 1)
    monkeypatch.setattr(tagdata, "_cpu_s", _called_in_one_second)  # so few codes may take no measurable time
    figures = tagdata.run()
    assert figures["tags_per_s_sgtin-96"] == 50
    assert figures["epcpy_tags_per_s_sgtin-96"] == 20
    assert figures["tags_per_s_cached"] == 50


def test_a_code_that_epcpy_reads_otherwise_is_told() -> None:
    epc, pc_bits = tagdata.tag("sgtin-96", 1)
    with pytest.raises(AssertionError, match="epcpy reads"):
        tagdata._decode_epcpy([(epc, pc_bits | 0x100)])  # a code of ISO by its word, which epcpy is not told


def _called_in_one_second(work: Callable[[], None]) -> float:
    work()
    return 1.0
