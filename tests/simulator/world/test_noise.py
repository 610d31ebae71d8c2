from statistics import fmean, pstdev

from simulator.world import noise


def test_the_same_question_has_the_same_answer() -> None:
    assert noise.bits(1, 2, 3) == noise.bits(1, 2, 3)
    assert noise.bits(1, 2, 3) != noise.bits(1, 3, 2)


def test_splitmix64_gives_its_published_stream() -> None:
    # First outputs of SplitMix64 from state 1234567: the reference implementation's test values (Vigna, splitmix64.c).
    assert noise.bits(1234567) == 6457827717110365317


def test_uniform_fills_its_range_evenly() -> None:
    draws = [noise.uniform(9, number) for number in range(4000)]
    assert min(draws) >= 0
    assert max(draws) < 1
    assert abs(fmean(draws) - 0.5) < 0.02


def test_normal_has_mean_nought_and_deviation_one() -> None:
    draws = [noise.normal(7, number) for number in range(4000)]
    assert abs(fmean(draws)) < 0.06
    assert abs(pstdev(draws) - 1) < 0.05
