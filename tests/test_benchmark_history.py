from __future__ import annotations

from benchmarks import history


def test_a_thousandth_of_the_journal_answers_every_question() -> None:
    figures = history.run(small=True)
    assert (figures["readings"], figures["events"]) == (10_000, 1_000)
    assert all(value > 0 for name, value in figures.items() if name.endswith(("_ms", "_per_s", "_kib")))
