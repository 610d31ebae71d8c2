import pytest

from simulator.world.containers import check_digit, container


@pytest.mark.parametrize(
    "code", ["CSQU3054383", "RAIU6900114"]
)  # published numbers; ISO 6346, and a container register
def test_check_digits_of_published_numbers(code: str) -> None:
    assert check_digit(code[:10]) == int(code[10])


def test_containers_do_not_share_names_or_tags() -> None:
    made = [container(7, number) for number in range(5000)]
    assert len({one.code for one in made}) == len(made)
    assert len({one.epc for one in made}) == len(made)
    assert all(check_digit(one.code[:10]) == int(one.code[10]) and len(one.epc) == 12 for one in made)
