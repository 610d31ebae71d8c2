from readers.presentation import MOST_KEPT, Presentations


def test_a_card_that_stays_is_presented_once() -> None:
    seen = Presentations(absent_after_s=1.0)
    assert [seen.is_new("a", at_s) for at_s in (0.0, 0.065, 0.9, 1.8)] == [True, False, False, False]


def test_a_card_that_was_away_is_presented_anew() -> None:
    seen = Presentations(absent_after_s=1.0)
    assert seen.is_new("a", 0.0)
    assert seen.is_new("b", 0.5)
    assert seen.is_new("a", 1.1)
    seen.gone("b")
    assert seen.is_new("b", 1.2)


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    seen = Presentations(absent_after_s=10.0)
    for number in range(MOST_KEPT + 1):
        assert seen.is_new(number, 0.0)
    assert not seen.is_new(MOST_KEPT, 1.0)
    assert seen.is_new(0, 1.0)
