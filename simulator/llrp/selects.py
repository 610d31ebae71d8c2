"""C1G2Filters: which tags an inventory hears at all.

The first filter decides of every tag; each further one only of what its action names, as Gen2 selects do.

Source: LLRP 1.0.1 section 15.2.1.2.1.1.
"""

from __future__ import annotations

from typing import Final

from simulator.device import TagMemory
from simulator.llrp.codec import Bits, Node
from simulator.llrp.tagmemory import fits

# What becomes of a tag that fits, and of one that does not: True selected, False not, None as it was.
_ACTIONS: Final[dict[int, tuple[bool | None, bool | None]]] = {
    0: (True, False),
    1: (True, None),
    2: (None, False),
    3: (False, None),
    4: (False, True),
    5: (None, True),
}


def filters_of(inventory: Node, antenna_port: int) -> list[Node]:
    """The filters of an InventoryParameterSpec for one antenna: its own configuration wins over that for all."""
    found: list[Node] = []
    for configuration in sorted(inventory.all("AntennaConfiguration"), key=lambda each: each.number("AntennaID")):
        if configuration.number("AntennaID") in (0, antenna_port):
            commands = configuration.all("C1G2InventoryCommand")
            found = [each for command in commands for each in command.all("C1G2Filter")]
    return found


def is_selected(filters: list[Node], memory: TagMemory) -> bool:
    """Whether a tag takes part in the inventory."""
    selected = True
    for each in filters:
        mask = each.need("C1G2TagInventoryMask")
        bits = mask.fields["TagMask"]
        assert isinstance(bits, Bits)
        every = Bits(bits.length, b"\xff" * len(bits.data))
        action = each.one("C1G2TagInventoryStateUnawareFilterAction")
        if_fits, if_not = _ACTIONS[action.number("Action") if action else 0]
        becomes = if_fits if fits(memory, mask.number("MB"), mask.number("Pointer"), every, bits) else if_not
        selected = selected if becomes is None else becomes
    return selected
