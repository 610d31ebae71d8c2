"""Asks the local network, by multicast DNS, which readers offer LLRP. No reader's session is touched by it.

    ID FF QQ AA NN RR  header: id 2, flags 2, counts of questions, answers, authorities, additional records, 2 each
    question           name, type 2, class 2
    record             name, type 2, class 2, time to live 4, length 2, data
    name               labels: length 1 and text; 0 at the end; upper bits 11: a pointer of 14 bits into the packet

The question goes out from a port of its own, so that answers come to us alone and nobody's cache hears of them.

Source: RFC 1035 section 4.1, RFC 6762 sections 5.1 and 6.7 (one-shot queries), RFC 6763 section 4.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from ipaddress import IPv4Address
from typing import Final

from gateway.logs import clean

SERVICE: Final = "_llrp._tcp.local"
GROUP: Final = ("224.0.0.251", 5353)
WAIT_S: Final = 2.0
MOST_ANSWERS: Final = 1_000
_LARGEST: Final = 9_000  # RFC 6762 section 17
_HEADER: Final = struct.Struct("!6H")
_KIND: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_PTR, _IN = 12, 1
_POINTER: Final = 0xC0
_MOST_JUMPS: Final = 16
_LONGEST_NAME: Final = 255
_IS_ANSWER: Final = 0x8000


def who_offers_llrp(group: tuple[str, int] = GROUP, wait_s: float = WAIT_S) -> dict[IPv4Address, str]:
    """Names of the readers that announce themselves, by the address that they answer from; empty without a network."""
    found: dict[IPv4Address, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        try:
            asking.sendto(question(SERVICE), group)
        except OSError:
            return found  # no route for multicast: a machine without a network
        deadline_s = time.monotonic() + wait_s
        for _ in range(MOST_ANSWERS):
            if not select.select([asking], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
                break
            packet, (host, _port) = asking.recvfrom(_LARGEST)
            name = offered(packet, SERVICE)
            if name is not None:
                found[IPv4Address(host)] = name
    return found


def question(service: str) -> bytes:
    """A packet that asks who offers a service."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in service.split("."))
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + labels + b"\0" + _KIND.pack(_PTR, _IN)


def offered(packet: bytes, service: str) -> str | None:
    """What the first offer of a service in an answer is called; None where it holds none or is broken."""
    try:
        _, flags, questions, *records = _HEADER.unpack_from(packet)
        if not flags & _IS_ANSWER:
            return None
        at = _HEADER.size
        for _ in range(questions):
            at = _name(packet, at)[1] + _KIND.size
        for _ in range(sum(records)):
            name, at = _name(packet, at)
            kind, _, _, length = _RECORD.unpack_from(packet, at)
            at += _RECORD.size
            if kind == _PTR and name.lower() == service:
                called, _ = _name(packet, at)
                return clean(called.removesuffix(f".{service}"))
            at += length
    except (struct.error, IndexError, ValueError):
        return None
    return None


def _name(packet: bytes, start: int) -> tuple[str, int]:
    """A name, and where it ends.

    Raises:
        IndexError: it leads out of the packet. ValueError: it is too long, or leads in a circle.
    """
    labels: list[str] = []
    at, end, jumps = start, None, 0
    while (length := packet[at]) != 0:
        if length & _POINTER == _POINTER:
            end = at + 2 if end is None else end
            at = (length & ~_POINTER) << 8 | packet[at + 1]
            jumps += 1
            if jumps > _MOST_JUMPS:
                raise ValueError("a name leads in a circle")
            continue
        if length & _POINTER or at + length >= len(packet):
            raise ValueError("a label leads out of the packet")
        labels.append(packet[at + 1 : at + 1 + length].decode(errors="replace"))
        if sum(map(len, labels)) > _LONGEST_NAME:
            raise ValueError("a name is too long")
        at += 1 + length
    return ".".join(labels), at + 1 if end is None else end
