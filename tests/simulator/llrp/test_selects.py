from __future__ import annotations

import pytest

from simulator.device import Sighting
from simulator.llrp.codec import Bits, Node, node
from simulator.llrp.selects import filters_of, is_selected
from simulator.llrp.tagmemory import of_sighting

TAG = of_sighting(Sighting(0, 1, bytes.fromhex("3034"), -50.0))


def select(mask: str, action: int | None = None) -> Node:
    bits = bytes.fromhex(mask)
    parts = [node("C1G2TagInventoryMask", MB=1, Pointer=32, TagMask=Bits(8 * len(bits), bits))]
    if action is not None:
        parts.append(node("C1G2TagInventoryStateUnawareFilterAction", Action=action))
    return node("C1G2Filter", *parts, T=0)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], True),
        ([select("30")], True),
        ([select("31")], False),
        ([select("31", 0), select("3034", 1)], True),
        ([select("31", 0), select("32", 1)], False),
        ([select("30", 4)], False),
        ([select("30", 0), select("3034", 3)], False),
        ([select("30", 0), select("31", 2)], False),
        ([select("31", 0), select("32", 5)], True),
    ],
)
def test_each_filter_does_what_its_action_says(filters: list[Node], expected: bool) -> None:  # noqa: FBT001  # likewise
    assert is_selected(filters, TAG) is expected


def configured(port: int, *filters: Node) -> Node:
    return node(
        "AntennaConfiguration", node("C1G2InventoryCommand", *filters, TagInventoryStateAware=0), AntennaID=port
    )


def test_an_antennas_own_filters_win_over_those_for_all() -> None:
    inventory = node("InventoryParameterSpec", configured(2, select("31")), configured(0, select("30")))
    assert filters_of(inventory, 1) == [select("30")]
    assert filters_of(inventory, 2) == [select("31")]
    assert filters_of(node("InventoryParameterSpec"), 1) == []
