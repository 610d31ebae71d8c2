"""Looks whether ports are open without opening a connection: the device's program never hears of it.

    SYN  ->            a TCP header of our own, from a port that we hold bound and never listen on
         <- SYN, ACK   open      the kernel knows of no such connection and answers RST by itself
         <- RST        closed
         (nothing)     nobody there, or a firewall

An LLRP reader serves one client: a plain connect would take its session for a moment, or hand us reports that it kept
for its client. Here the handshake is never completed, so `accept` in the reader never returns.

    SSSS DDDD QQQQ AAAA OF WW CC UU
    S source port 2, D destination port 2, Q sequence 4, A acknowledged 4, O data offset (upper half of 1), F flags 1,
    W window 2, C checksum over pseudo header and header 2, U urgent 2; big-endian

Source: RFC 9293 sections 3.1 and 3.10.7.1; `raw(7)`.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from readers.errors import LinkError

PER_SECOND: Final = 200
"""Packets a second at most: 64 bytes each, nothing to a network of readers."""
LAST_ANSWER_S: Final = 1.0
MOST_PROBES: Final = 65_536
_HEADER: Final = struct.Struct("!HHIIBBHHH")
_PSEUDO: Final = struct.Struct("!4s4sBBH")
_OFFSET: Final = (_HEADER.size // 4) << 4
_SYN: Final = 0x02
_SYN_ACK: Final = 0x12
_WINDOW: Final = 1_024
_LARGEST_PACKET: Final = 65_535
_LEAST_IP_HEADER: Final = 20
_DISCARD: Final = 9  # no packet is sent to it: the system only tells which address it would send from


@dataclass(frozen=True, slots=True, order=True)
class OpenPort:
    """Somebody listens there."""

    address: IPv4Address
    port: int


def open_ports(
    addresses: Iterable[IPv4Address], ports: Sequence[int], *, per_second: int = PER_SECOND
) -> list[OpenPort]:
    """Which of these ports are open at which address, sorted.

    Raises:
        LinkError: this process may not send such packets (it needs CAP_NET_RAW), or the network is down.
    """
    wanted = [(address, port) for address in addresses for port in ports]
    if len(wanted) > MOST_PROBES:
        raise LinkError(f"{len(wanted)} ports are more than the {MOST_PROBES} that are looked at in one go")
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    except PermissionError as error:
        raise LinkError("looking for open ports without connecting needs CAP_NET_RAW; run as root") from error
    with raw, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("", 0))
        raw.settimeout(0)
        search = _Search(raw, held.getsockname()[1], set(wanted))
        search.run(wanted, per_second, time.monotonic)
        return sorted(search.found)


class _Search:
    def __init__(self, raw: socket.socket, our_port: int, asked: set[tuple[IPv4Address, int]]) -> None:
        self.found: set[OpenPort] = set()
        self._raw = raw
        self._our_port = our_port
        self._asked = asked
        self._sources: dict[IPv4Address, bytes | None] = {}

    def run(self, wanted: Sequence[tuple[IPv4Address, int]], per_second: int, monotonic_s: Callable[[], float]) -> None:
        start_s = monotonic_s()
        for index, (address, port) in enumerate(wanted):
            self._send(address, port)
            self._hear_until(start_s + (index + 1) / per_second, monotonic_s)
        self._hear_until(monotonic_s() + LAST_ANSWER_S, monotonic_s)

    def _send(self, address: IPv4Address, port: int) -> None:
        source = self._source(address)
        if source is None:
            return
        try:
            self._raw.sendto(syn(source, address.packed, self._our_port, port), (str(address), 0))
        except BlockingIOError:
            return  # the queue of the interface is full: this port counts as not found
        except OSError as error:
            raise LinkError(f"{address}: cannot be sent to: {error.strerror}") from error

    def _source(self, address: IPv4Address) -> bytes | None:
        """The address that we send from; None without a way there."""
        if address not in self._sources:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                try:
                    asking.connect((str(address), _DISCARD))
                    self._sources[address] = socket.inet_aton(asking.getsockname()[0])
                except OSError:
                    self._sources[address] = None
        return self._sources[address]

    def _hear_until(self, deadline_s: float, monotonic_s: Callable[[], float]) -> None:
        while (left_s := deadline_s - monotonic_s()) > 0:
            if not select.select([self._raw], [], [], left_s)[0]:
                return
            try:
                packet = self._raw.recv(_LARGEST_PACKET)
            except OSError:
                continue  # an error that belongs to one address: an unreachable host
            answer = answering(packet, self._our_port)
            if answer is not None and answer in self._asked:
                self.found.add(OpenPort(*answer))


def syn(source: bytes, destination: bytes, source_port: int, port: int) -> bytes:
    """The header that asks for a connection."""
    fields = (source_port, port, 0, 0, _OFFSET, _SYN, _WINDOW)
    header = _HEADER.pack(*fields, 0, 0)
    pseudo = _PSEUDO.pack(source, destination, 0, socket.IPPROTO_TCP, len(header))
    return _HEADER.pack(*fields, _checksum(pseudo + header), 0)


def answering(packet: bytes, our_port: int) -> tuple[IPv4Address, int] | None:
    """Who agrees to a connection that we asked for with this packet; None for every other packet."""
    if len(packet) < _LEAST_IP_HEADER:
        return None
    start = (packet[0] & 0x0F) * 4
    if start < _LEAST_IP_HEADER or len(packet) < start + _HEADER.size:
        return None
    port, to, _, acknowledged, _, flags, *_ = _HEADER.unpack_from(packet, start)
    if to != our_port or flags & 0x17 != _SYN_ACK or acknowledged != 1:
        return None
    return IPv4Address(packet[12:16]), port


def _checksum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words; `data` has an even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
