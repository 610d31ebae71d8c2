from __future__ import annotations

import pytest

from readers.codecs.dlms_data import Denied, Reader, decode
from readers.ports.memory import START_US
from simulator.meters.dlms_meter import PUBLIC_CLIENT, Behaviour, Client, Meter
from simulator.meters.dlms_server import Server
from tests.simulator.meters.loads import Steady

AARQ = "601DA109060760857405080101BE10040E01000000065F1F040000"
PUBLIC_AARQ = AARQ + "7E1FFFFF"
LOW_AARQ = (
    "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1FFFFF"
)
CIPHERED_AARQ = (
    "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080205AC0A80083132333435363738BE3404322130"
    "3001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
)
"""The example of the Green Book, with mechanism 5 in place of 1: its cipher is that of keys 00..0F and D0..DF."""
GET_ENERGY = "C001C1" + "0003" + "0100010800FF" + "0200"
EK, AK = bytes(range(16)), bytes(range(0xD0, 0xE0))


def server(**behaviour: object) -> Server:
    clients = {2: Client(b"12345678"), 1: Client(None, EK, AK)}
    return Server(Meter(Steady(), clients=clients, behaviour=Behaviour(**behaviour)), lambda: START_US)  # type: ignore[arg-type]  # by name


def say(to: Server, text: str, client: int = PUBLIC_CLIENT) -> str:
    answer = to.answer(client, bytes.fromhex(text))
    assert answer is not None
    return answer.hex().upper()


def associated(**behaviour: object) -> Server:
    made = server(**behaviour)
    assert say(made, PUBLIC_AARQ).startswith("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F04")
    return made


def test_the_published_aarqs_are_accepted() -> None:
    associated()
    assert "A203020100" in say(server(), LOW_AARQ, client=2)
    assert "A203020100" in say(server(), CIPHERED_AARQ, client=1)


@pytest.mark.parametrize(
    ("aarq", "client", "diagnostic"),
    [
        (PUBLIC_AARQ, 99, 3),
        (PUBLIC_AARQ, 2, 14),
        (PUBLIC_AARQ, 1, 2),
        (LOW_AARQ, PUBLIC_CLIENT, 11),
        (LOW_AARQ.replace("3132", "3232"), 2, 13),
        (CIPHERED_AARQ.replace("801302", "801303"), 1, 13),
    ],
)
def test_who_is_refused_is_told_why(aarq: str, client: int, diagnostic: int) -> None:
    answer = say(server(), aarq, client)
    assert "A203020101" in answer
    assert f"A305A1030201{diagnostic:02X}" in answer


def test_without_an_association_nothing_is_served() -> None:
    made = server()
    assert say(made, GET_ENERGY) == "D80101"
    associated_once = associated()
    assert say(associated_once, GET_ENERGY) == "C401C100060001E240"
    assert say(associated_once, "6203800100") == "6303800100"
    assert say(associated_once, GET_ENERGY) == "D80101"
    assert made.answer(PUBLIC_CLIENT, b"") is None


def test_a_client_without_rights_calls_nothing() -> None:
    made = associated()
    assert say(made, "C301C100460000" + "60030AFF" + "01010F00") == "C701C10300"
    assert made.meter.orders == []


@pytest.mark.parametrize("request_", ["C0", "C005C1", "C1" + "01C1", "C003C100"])
def test_what_is_not_served_is_an_exception(request_: str) -> None:
    assert say(associated(takes_lists=False), request_) == "D80202"


def test_a_list_and_its_blocks() -> None:
    made = associated()
    listed = "C003C102" + "00030100010800FF0200" + "0003000000000000" + "0200"
    assert say(made, listed) == "C403C1020006" + "0001E240" + "0104"
    short = associated(max_pdu_bytes=17)
    three = listed.replace("C003C102", "C003C103") + "00030100010800FF0200"
    assert Reader(in_blocks(short, three)).results() == [123456, Denied(4), 123456]
    assert say(short, "C002C100000009").endswith("0113")


def in_blocks(to: Server, request: str) -> bytes:
    """The whole of an answer that comes in blocks."""
    told = b""
    for number in range(1, 20):
        block = bytes.fromhex(say(to, request))
        assert block[:3] == bytes.fromhex("C402C1")
        assert int.from_bytes(block[4:8], "big") == number
        told += block[10:]
        if block[3]:
            return told
        request = f"C002C1{number:08X}"
    raise AssertionError(told)


def test_a_value_in_blocks_is_the_value() -> None:
    name = "C001C1" + "0001" + "00002A0000FF" + "0200"
    assert decode(in_blocks(associated(max_pdu_bytes=18), name)) == b"TWG1000000001"


def test_a_selection_that_is_none_is_an_error() -> None:
    assert say(associated(), "C001C1" + "0007" + "0100630100FF" + "0201" + "02") == "C401C101FA"


def test_before_the_proof_nothing_is_served_and_a_wrong_proof_is_refused() -> None:
    made = server()
    say(made, CIPHERED_AARQ, client=1)
    association = made._associations[1]
    assert not association.is_proven
    assert made._serve(association, bytes.fromhex(GET_ENERGY)) == bytes.fromhex("D80101")
    call = bytes.fromhex("C301C100460000" + "60030AFF" + "01010F00")
    assert made._serve(association, call) == bytes.fromhex("D80101")
    wrong = "C301C1000F0000280000FF0101" + "0911" + "10" + "01234568" + "00" * 12
    assert made._serve(association, bytes.fromhex(wrong)) == bytes.fromhex("C701C1FA00")


@pytest.mark.parametrize(
    "raw", [GET_ENERGY, "C81E3001234567" + "00" * 25, "C81E3001234568" + "00" * 25, "C8051001234568", "C88130"]
)
def test_what_does_not_open_is_an_exception(raw: str) -> None:
    made = server()
    say(made, CIPHERED_AARQ, client=1)
    assert say(made, raw, client=1) in ("D80101", "D80105")


def test_a_proof_with_an_old_counter_is_refused() -> None:
    from simulator.meters.dlms_server import _gmac

    made = server()
    say(made, CIPHERED_AARQ, client=1)
    association = made._associations[1]
    old = bytes.fromhex("01234567")
    proof = b"\x10" + old + _gmac(association.client, association.title + old, association.own_challenge)
    call = bytes.fromhex("C301C1000F0000280000FF0101" + "0911") + proof
    assert made._serve(association, call) == bytes.fromhex("C701C1FA00")
