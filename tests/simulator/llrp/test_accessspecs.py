"""AccessSpecs by a client of the reader's own codec: what is refused, and what is done to tags."""

from __future__ import annotations

import pytest

from readers.ports.memory import run
from simulator.llrp.codec import Bits, Node, Status, node
from simulator.llrp.identities import impinj_r420, plain
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import (
    Beat,
    Client,
    accessspec,
    connected,
    detail,
    read_op,
    report_spec,
    rospec,
    status,
    target,
)
from tests.support.shelf import Shelf, memory

ONE, TWO = bytes.fromhex("3034257BF7194E4000001A85"), bytes.fromhex("E2003411B802011123456789")
INVALID, RANGE = Status.A_INVALID, Status.A_OUT_OF_RANGE


def write_op(*words: int, opspec_id: int = 2, word: int = 0) -> Node:
    return node("C1G2Write", OpSpecID=opspec_id, AccessPassword=0, MB=3, WordPointer=word, WriteData=words)


BAD_TARGET = node("C1G2TargetTag", MB=1, Match=1, Pointer=32, TagMask=Bits(8, b"\xff"), TagData=Bits(16, b"\x30\x34"))
REFUSED = {
    "id 0": (accessspec(spec_id=0), INVALID, "AccessSpecID 0"),
    "antenna": (accessspec(antenna=9), RANGE, "antenna 9: allowed are 1 to 4"),
    "protocol": (accessspec(protocol=2), INVALID, "ProtocolID 2"),
    "state": (accessspec(state=1), INVALID, "added as 0, disabled"),
    "patterns": (accessspec(targets=(target(), target(), target())), Status.P_OVERFLOW_PARAMETER, "3 patterns"),
    "mask": (accessspec(targets=(BAD_TARGET,)), INVALID, "TagMask has 8 bits and TagData 16"),
    "operations": (accessspec(*[read_op(n) for n in range(9)]), Status.P_OVERFLOW_PARAMETER, "9 operations"),
    "kill": (
        accessspec(node("C1G2Kill", OpSpecID=1, KillPassword=1)),
        Status.P_UNSUPPORTED_PARAMETER,
        "C1G2Kill: not supported",
    ),
}


@pytest.mark.parametrize(("tree", "code", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_reader_cannot_do_is_refused_by_name(tree: Node, code: Status, text: str) -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            answer = await client.ask(node("ADD_ACCESSSPEC", tree))
            assert text in status(answer)[1]
            assert detail(answer)[-1][2] == code
            assert (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec") == []

    run(scene())


def test_a_stop_trigger_that_nobody_knows_is_refused() -> None:
    async def scene() -> None:
        tree = accessspec()
        tree.children[0].fields["AccessSpecStopTrigger"] = 2
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            assert "allowed are 0 (null)" in status(await client.ask(node("ADD_ACCESSSPEC", tree)))[1]

    run(scene())


def test_no_more_and_none_twice() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(plain(), Beat())) as client:
            await client.demand(node("ADD_ACCESSSPEC", accessspec(spec_id=1)))
            assert "[1] are" in status(await client.ask(node("ADD_ACCESSSPEC", accessspec(spec_id=1))))[1]
            await client.demand(node("ADD_ACCESSSPEC", accessspec(spec_id=2)))
            assert "allowed are 2" in status(await client.ask(node("ADD_ACCESSSPEC", accessspec(spec_id=3))))[1]
            block = node("C1G2BlockWrite", OpSpecID=1, AccessPassword=0, MB=3, WordPointer=0, WriteData=(1,))
            await client.demand(node("DELETE_ACCESSSPEC", AccessSpecID=0))
            answer = await client.ask(node("ADD_ACCESSSPEC", accessspec(block)))
            assert "C1G2BlockWrite: not supported" in status(answer)[1]

    run(scene())


async def work(client: Client, tree: Node, seconds: float = 1.0, **selected: int) -> list[Node]:
    """Run it with an inventory of antenna 1; the reads that hold results."""
    report = report_spec(EnableAccessSpecID=1, EnableAntennaID=1, **selected)  # type: ignore[arg-type]  # fields by name
    await client.demand(node("ADD_ROSPEC", rospec(report=report)))
    await client.demand(node("ADD_ACCESSSPEC", tree))
    await client.demand(node("ENABLE_ACCESSSPEC", AccessSpecID=tree.number("AccessSpecID")))
    await client.demand(node("ENABLE_ROSPEC", ROSpecID=1))
    await client.listen(seconds)
    return [tag for tag in client.reads() if any("OpSpecResult" in part.name for part in tag.children)]


def test_every_tag_that_fits_is_worked_on_and_the_results_come_with_it() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Shelf(memory(ONE, bytes(range(8))), memory(TWO, bytes(8))))
        async with connected(reader) as client:
            found = await work(client, accessspec(read_op(5), targets=(target(32, b"\xff", b"\x30"),)))
            assert len(found) == reader.inventory.access.executed > 10
            for tag in found:
                assert tag.need("EPC_96").number("EPC") == int.from_bytes(ONE)
                assert tag.need("AccessSpecID").number("AccessSpecID") == 1
                result = tag.need("C1G2ReadOpSpecResult")
                assert (result.number("OpSpecID"), result.numbers("ReadData")) == (5, (0x0001, 0x0203))
            others = [tag for tag in client.reads() if tag.need("EPC_96").number("EPC") == int.from_bytes(TWO)]
            assert {tag.need("AccessSpecID").number("AccessSpecID") for tag in others} == {0}

    run(scene())


def test_a_counted_spec_is_executed_so_often_and_is_gone() -> None:
    async def scene() -> None:
        field = Shelf(memory(ONE, user=bytes(4)))
        reader = SimulatedReader(impinj_r420(), field)
        async with connected(reader) as client:
            tree = accessspec(write_op(0xCAFE), write_op(0xBABE, opspec_id=3, word=1), count=2)
            found = await work(client, tree)
            assert len(found) == 2
            results = found[0].all("C1G2WriteOpSpecResult")
            assert [(each.number("OpSpecID"), each.number("NumWordsWritten")) for each in results] == [(2, 1), (3, 1)]
            assert bytes(field.tags[0].user) == b"\xca\xfe\xba\xbe"
            assert (await client.demand(node("GET_ACCESSSPECS"))).all("AccessSpec") == []

    run(scene())


@pytest.mark.parametrize(("at_its_end", "expected"), [(0, 0), (1, 1)])
def test_a_result_may_be_reported_at_once(at_its_end: int, expected: int) -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Shelf(memory(ONE, user=bytes(4))))
        async with connected(reader) as client:
            tree = accessspec(write_op(0xCAFE), count=1, at_its_end=at_its_end)
            assert len(await work(client, tree, trigger=2, n=0)) == expected
            await client.demand(node("STOP_ROSPEC", ROSpecID=1))
            await client.listen(0.1)
            assert len([tag for tag in client.reads() if tag.one("C1G2WriteOpSpecResult")]) == 1

    run(scene())


@pytest.mark.parametrize("tree", [accessspec(rospec_id=7), accessspec(antenna=2)])
def test_a_spec_for_another_rospec_or_antenna_does_nothing(tree: Node) -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Shelf(memory(ONE, bytes(8))))
        async with connected(reader) as client:
            assert await work(client, tree) == []
            assert client.reads()

    run(scene())


def test_a_pattern_may_have_to_fail_and_a_disabled_spec_rests() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), Shelf(memory(ONE, bytes(8)), memory(TWO, bytes(8))))
        async with connected(reader) as client:
            found = await work(client, accessspec(targets=(target(32, b"\xff", b"\x30", match=0),)))
            assert {tag.need("EPC_96").number("EPC") for tag in found} == {int.from_bytes(TWO)}
            await client.demand(node("DISABLE_ACCESSSPEC", AccessSpecID=1))
            executed = reader.inventory.access.executed
            await client.listen(1.0)
            assert reader.inventory.access.executed == executed

    run(scene())


def test_the_tags_of_a_radio_without_memory_can_be_read() -> None:
    async def scene() -> None:
        async with connected(SimulatedReader(impinj_r420(), Beat())) as client:
            found = await work(client, accessspec(read_op(1, 1, 2, 2), write_op(1)))
            assert {tag.need("C1G2ReadOpSpecResult").numbers("ReadData") for tag in found} == {(0x3034, 0x0000)}
            assert {tag.need("C1G2WriteOpSpecResult").number("Result") for tag in found} == {1}

    run(scene())
