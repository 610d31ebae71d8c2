"""What the real server answers is in test_opcua.py; here is what a session that answers anything is asked and told."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncua
import pytest

from readers.ports.opcua_nodes import Nodes

ua: Any = asyncua.ua  # its types are stricter than what it takes
NAMESPACES = ("http://opcfoundation.org/UA/", "urn:server", "http://maker.example/machine")


class Endless:
    """A server whose folders hold folders without end, and each a variable."""

    def __init__(self, *, loops: bool = False) -> None:
        self.asked = 0
        self._loops = loops

    async def browse(self, _parameters: Any) -> list[Any]:
        self.asked += 1
        below = 0 if self._loops else self.asked
        folder = ua.ReferenceDescription(
            NodeId=ua.ExpandedNodeId(f"folder {below}", 2),
            BrowseName=ua.QualifiedName(f"f{below}", 2),
            NodeClass=ua.NodeClass.Object,
        )
        variable = ua.ReferenceDescription(
            NodeId=ua.ExpandedNodeId(f"variable {self.asked}", 2),
            BrowseName=ua.QualifiedName("v", 2),
            NodeClass=ua.NodeClass.Variable,
        )
        return [ua.BrowseResult(References=[folder, variable])]


def test_a_namespace_is_found_by_its_name_wherever_the_server_has_put_it() -> None:
    nodes = Nodes(None, ua, NAMESPACES)
    assert nodes.node_id("nsu=http://maker.example/machine;s=Speed") == ua.NodeId("Speed", 2)
    assert nodes.node_id("ns=2;i=7") == ua.NodeId(7, 2)
    assert nodes.node_id("i=2258") == ua.NodeId(2258, 0)


@pytest.mark.parametrize(
    ("text", "why"), [("nsu=urn:absent;s=x", "no namespace urn:absent"), ("ns=x;i=1", "is no node"), ("i=x", "no node")]
)
def test_what_is_no_node(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Nodes(None, ua, NAMESPACES).node_id(text)


def test_browsing_ends_with_so_many_variables() -> None:
    server = Endless()
    found = asyncio.run(Nodes(server, ua, NAMESPACES).browse(5))
    assert len(found.nodes) == 5
    assert found.nodes[0] == ("ns=2;s=variable 1", "v")


def test_browsing_ends_in_a_depth_and_does_not_run_in_circles() -> None:
    deep, round_about = Endless(), Endless(loops=True)
    assert len(asyncio.run(Nodes(deep, ua, NAMESPACES).browse(1000)).nodes) < 300
    assert deep.asked <= 200
    assert asyncio.run(Nodes(round_about, ua, NAMESPACES).browse(1000)).nodes
    assert round_about.asked <= 200
