from __future__ import annotations

import socket
import struct
import threading
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.init.mdns import SERVICE, offered, question, who_offers_llrp

SERVICE_LABELS = b"\x05_llrp\x04_tcp\x05local\0"
HEAD = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0)


def answer(called: bytes, *, head: bytes = HEAD, kind: int = 12) -> bytes:
    data = bytes([len(called)]) + called + b"\xc0\x0c"
    return head + SERVICE_LABELS + struct.pack("!HHIH", kind, 1, 120, len(data)) + data


def test_the_question_as_the_standard_draws_it() -> None:
    head = struct.pack("!6H", 0, 0, 1, 0, 0, 0)
    assert question(SERVICE) == head + SERVICE_LABELS + struct.pack("!HH", 12, 1)


def test_an_offer_has_a_name() -> None:
    assert offered(answer(b"SpeedwayR-10-45-6B"), SERVICE) == "SpeedwayR-10-45-6B"


def test_the_question_may_stand_before_the_answer() -> None:
    head = struct.pack("!6H", 0, 0x8400, 1, 1, 0, 0)
    assert offered(answer(b"FX9600", head=head + SERVICE_LABELS + struct.pack("!HH", 12, 1)), SERVICE) == "FX9600"


def test_a_name_from_the_network_cannot_write_on_the_terminal() -> None:
    called = offered(answer(b"evil\x1b[2J"), SERVICE)
    assert called is not None
    assert called.isprintable()


@pytest.mark.parametrize(
    "packet",
    [
        answer(b"x", kind=16),
        answer(b"x", head=struct.pack("!6H", 0, 0, 0, 1, 0, 0)),
        answer(b"x").replace(b"_llrp", b"_http"),
        HEAD + b"\xc0\x0c",
        HEAD + b"\x80x",
        HEAD + b"\x3fx",
        HEAD + (b"\x3f" + b"x" * 63) * 5 + b"\0" + struct.pack("!HHIH", 12, 1, 0, 0),
        b"",
    ],
)
def test_what_offers_nothing(packet: bytes) -> None:
    assert offered(packet, SERVICE) is None


@given(st.binary(max_size=64), st.integers(0, 40))
def test_noise_is_never_a_fault(noise: bytes, cut: int) -> None:
    whole = answer(b"reader")
    for packet in (noise, HEAD + noise, whole[:cut] + noise, whole[:cut]):
        called = offered(packet, SERVICE)
        assert called is None or called.isprintable()


def test_who_answers_is_found_by_the_address_that_he_answers_from() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as responder:
        responder.bind(("127.0.0.1", 0))
        responder.settimeout(10)
        asked: list[bytes] = []

        def respond() -> None:
            packet, asker = responder.recvfrom(9000)
            asked.append(packet)
            responder.sendto(b"noise", asker)
            responder.sendto(answer(b"FX9600"), asker)

        thread = threading.Thread(target=respond)
        thread.start()
        found = who_offers_llrp(responder.getsockname(), wait_s=1.0)
        thread.join()
    assert asked == [question(SERVICE)]
    assert found == {IPv4Address("127.0.0.1"): "FX9600"}


def test_silence_ends() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert who_offers_llrp(nobody.getsockname(), wait_s=0.05) == {}
