"""The application layer of a simulated DLMS/COSEM meter: associations, GET in all its forms, and calls of methods.

Written from the same books as the driver, and with none of its code: APDUs are taken apart and put together here by
hand, and the cipher is AES-GCM of `cryptography`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simulator.meters import dlms_axdr as axdr
from simulator.meters.dlms_meter import ASSOCIATION, OTHER_REASON, Client, Meter

AUTHENTICATED_ENCRYPTED: Final = b"\x30"
AUTHENTICATED: Final = b"\x10"
SERVER_MAX_PDU: Final = 512
_OID: Final = bytes.fromhex("6085740508")
_TAG_BYTES: Final = 12
_GENERAL: Final = 0xDB
_OWN: Final = {0xC8: 0xCC, 0xCB: 0xCF}
_BLOCK_OVERHEAD: Final = 12
_DESCRIPTOR_BYTES: Final = 9
_REPLY_TO_HLS: Final = 1
_SERVICE_NOT_ALLOWED: Final = bytes([0xD8, 1, 1])
_NOT_SUPPORTED: Final = bytes([0xD8, 2, 2])
_DECIPHERING: Final = bytes([0xD8, 1, 5])
_NONE, _LOW, _GMAC = 0, 1, 5
_AARQ, _RLRQ = 0x60, 0x62
_CIPHERED: Final = 3  # application context: logical names, ciphered
_HEADER_BYTES: Final = 3
_LONG_FORM: Final = 0x80
_CAN: Final = 0x005215 & ~0x004200  # GET, ranges, blocks, methods; lists and general protection as it behaves
_LISTS, _GENERAL_PROTECTION = 0x000200, 0x400000


@dataclass(slots=True)
class Association:
    """One association of a client.

    Attributes:
        counter_before: the client's counter in its AARQ. Some clients give one counter to the proof and its APDU.
    """

    client: Client
    max_pdu_bytes: int
    title: bytes = b""
    is_ciphered: bool = False
    is_proven: bool = True
    counter_before: int = 0
    client_challenge: bytes = b""
    own_challenge: bytes = b""
    blocks: bytes = b""
    next_block: int = 0
    invoke: int = 0
    taken: list[bytes] = field(default_factory=list)


class Server:
    """What one meter answers to its clients."""

    def __init__(self, meter: Meter, now_us: Callable[[], int], seed: int = 0) -> None:
        self.meter = meter
        self._now_us = now_us
        self._rng = Random(seed)
        self._associations: dict[int, Association] = {}

    def forget(self, client: int) -> None:
        """End the association of a client."""
        self._associations.pop(client, None)

    def answer(self, client: int, apdu: bytes) -> bytes | None:
        """The answer to an APDU; None where there is none."""
        if not apdu:
            return None
        if apdu[0] == _AARQ:
            return self._associate(client, apdu)
        if apdu[0] == _RLRQ:
            self.forget(client)
            return bytes.fromhex("6303800100")
        association = self._associations.get(client)
        if association is None:
            return _SERVICE_NOT_ALLOWED
        if not association.is_ciphered:
            return self._serve(association, apdu)
        if apdu[0] != _GENERAL and apdu[0] not in _OWN:
            return _SERVICE_NOT_ALLOWED
        try:
            content = _octets(apdu[1 + 1 + len(association.title) :] if apdu[0] == _GENERAL else apdu[1:])
            plain = self._open(association, content)
        except (InvalidTag, ValueError):
            return _DECIPHERING
        served = self._serve(association, plain)
        sealed = self._seal(association.client, served)
        if apdu[0] == _GENERAL:
            return bytes([_GENERAL, 8]) + self.meter.system_title + axdr.size(len(sealed)) + sealed
        return bytes([_OWN[apdu[0]]]) + axdr.size(len(sealed)) + sealed

    def _associate(self, number: int, apdu: bytes) -> bytes:
        self.forget(number)
        parts = _parts(apdu[2:])
        context, mechanism = parts[0xA1][-1], parts.get(0x8B, b"\0")[-1]
        client = self.meter.client(number)
        value = parts.get(0xAC, b"\0\0")[2:]
        wrong = self._wrong(client, context, mechanism, value)
        if client is None or wrong:
            return self._response(1, wrong, context, b"", b"")
        association = Association(client, 0, title=parts.get(0xA6, b"\0\0")[2:], is_ciphered=context == _CIPHERED)
        information = parts[0xBE][2:]
        if association.is_ciphered:
            try:
                information = self._open(association, information[2:])
            except (InvalidTag, ValueError):
                return self._response(1, 13, context, b"", b"")
        proposed = int.from_bytes(information[-5:-2], "big")
        asked = int.from_bytes(information[-2:], "big") or 0xFFFF
        association.max_pdu_bytes = min(asked, self.meter.behaviour.max_pdu_bytes or asked)
        given = self.meter.behaviour
        can = _CAN | (_LISTS if given.takes_lists else 0) | (_GENERAL_PROTECTION if given.general_protection else 0)
        pdu = SERVER_MAX_PDU.to_bytes(2, "big")
        told = bytes.fromhex("0800065F1F0400") + (proposed & can).to_bytes(3, "big") + pdu + b"\x00\x07"
        proof = b""
        if association.is_ciphered:
            association.is_proven = False
            association.client_challenge = value
            association.own_challenge = proof = self._rng.randbytes(16)
            sealed = self._seal(client, told)
            told = bytes([0x28, len(sealed)]) + sealed
            association.counter_before = client.counter
        self._associations[number] = association
        return self._response(0, 14 if proof else 0, context, told, proof)

    def _wrong(self, client: Client | None, context: int, mechanism: int, value: bytes) -> int:
        """The diagnostic of a request for an association that is refused; 0 where it is not."""
        if client is None:
            return 3
        wanted = _GMAC if client.encryption_key else _LOW if client.password is not None else _NONE
        if context != (_CIPHERED if wanted == _GMAC else 1):
            return 2
        if mechanism != wanted:
            return 14 if mechanism == _NONE else 11
        if client.password is not None and not hmac.compare_digest(client.password, value):
            return 13
        return 0

    def _response(self, result: int, diagnostic: int, context: int, told: bytes, proof: bytes) -> bytes:
        content = b"\xa1\x09\x06\x07" + _OID + bytes([1, context]) + bytes([0xA2, 3, 2, 1, result])
        content += bytes([0xA3, 5, 0xA1, 3, 2, 1, diagnostic])
        if context == _CIPHERED and not result:
            content += b"\xa4\x0a\x04\x08" + self.meter.system_title
        if proof:
            content += b"\x88\x02\x07\x80\x89\x07" + _OID + bytes([2, _GMAC])
            content += bytes([0xAA, len(proof) + 2, 0x80, len(proof)]) + proof
        if told:
            content += bytes([0xBE, len(told) + 2, 4, len(told)]) + told
        return b"\x61" + axdr.size(len(content)) + content

    def _serve(self, association: Association, plain: bytes) -> bytes:
        """The answer to a plain request."""
        if len(plain) < _HEADER_BYTES:
            return _NOT_SUPPORTED
        association.invoke = plain[2]
        if plain[:2] == b"\xc3\x01":
            return self._act(association, plain[3:])
        if not association.is_proven:
            return _SERVICE_NOT_ALLOWED
        match plain[0], plain[1]:
            case 0xC0, 1:
                return self._get(association, plain[3:])
            case 0xC0, 2:
                return self._next(association, int.from_bytes(plain[3:7], "big"))
            case 0xC0, 3 if self.meter.behaviour.takes_lists and not self.meter.behaviour.exception_on_lists:
                return self._list(association, plain[3:])
            case _:
                return _NOT_SUPPORTED

    def _value(self, descriptor: bytes, selection: bytes) -> bytes | int:
        class_id = int.from_bytes(descriptor[:2], "big")
        now_us = self._now_us()
        try:
            return self.meter.attribute(class_id, descriptor[2:8], descriptor[8], selection, now_us)
        except ValueError:
            return OTHER_REASON

    def _get(self, association: Association, request: bytes) -> bytes:
        value = self._value(request[:_DESCRIPTOR_BYTES], request[_DESCRIPTOR_BYTES + 1 :])
        head = bytes([0xC4, 1, association.invoke])
        if isinstance(value, int):
            return head + bytes([1, value])
        if len(value) + len(head) + 1 > association.max_pdu_bytes:
            association.blocks, association.next_block = value, 1
            return self._block(association)
        return head + b"\0" + value

    def _list(self, association: Association, request: bytes) -> bytes:
        count, step = request[0], _DESCRIPTOR_BYTES + 1
        items = [request[1 + step * n : 1 + step * (n + 1)] for n in range(count)]
        found = [self._value(item[:_DESCRIPTOR_BYTES], b"") for item in items]
        told = axdr.size(count)
        told += b"".join(bytes([1, each]) if isinstance(each, int) else b"\0" + each for each in found)
        if len(told) + 3 > association.max_pdu_bytes:
            association.blocks, association.next_block = told, 1
            return self._block(association)
        return bytes([0xC4, 3, association.invoke]) + told

    def _next(self, association: Association, taken: int) -> bytes:
        if not association.blocks or taken != association.next_block - 1:
            last = association.next_block.to_bytes(4, "big")
            return bytes([0xC4, 2, association.invoke, 1]) + last + bytes([1, 19])
        return self._block(association)

    def _block(self, association: Association) -> bytes:
        most = association.max_pdu_bytes - _BLOCK_OVERHEAD
        piece, association.blocks = association.blocks[:most], association.blocks[most:]
        head = bytes([0xC4, 2, association.invoke, not association.blocks])
        number = association.next_block.to_bytes(4, "big")
        association.next_block += 1
        return head + number + b"\0" + axdr.size(len(piece)) + piece

    def _act(self, association: Association, request: bytes) -> bytes:
        class_id, name, method = int.from_bytes(request[:2], "big"), request[2:8], request[8]
        head = bytes([0xC7, 1, association.invoke])
        if (class_id, name, method) == (15, ASSOCIATION, _REPLY_TO_HLS):
            return head + self._prove(association, request[12:])
        if not association.is_proven:
            return _SERVICE_NOT_ALLOWED
        client = association.client
        if client.password is None and client.encryption_key is None:
            return head + bytes([3, 0])
        return head + bytes([self.meter.call(class_id, name, method), 0])

    def _prove(self, association: Association, proof: bytes) -> bytes:
        """Check the client's answer to our challenge, and answer its own."""
        counter, client = proof[1:5], association.client
        assert client.authentication_key is not None
        wanted = _gmac(client, association.title + counter, association.own_challenge)
        if proof[:1] != AUTHENTICATED or not hmac.compare_digest(proof[5:], wanted):
            return bytes([OTHER_REASON, 0])
        if int.from_bytes(counter, "big") <= association.counter_before:
            return bytes([OTHER_REASON, 0])
        client.counter = max(client.counter, int.from_bytes(counter, "big"))
        association.is_proven = True
        self.meter.counter += 1
        own = self.meter.counter.to_bytes(4, "big")
        answer = AUTHENTICATED + own + _gmac(client, self.meter.system_title + own, association.client_challenge)
        return bytes([0, 1, 0]) + axdr.octets(answer)

    def _open(self, association: Association, content: bytes) -> bytes:
        """The plain text in a cipher of the client; its counter must be higher than any before."""
        client = association.client
        assert client.encryption_key is not None
        assert client.authentication_key is not None
        counter = int.from_bytes(content[1:5], "big")
        if content[:1] != AUTHENTICATED_ENCRYPTED or counter <= client.counter:
            raise ValueError(f"counter {counter} after {client.counter}")
        sealed, short = content[5:-_TAG_BYTES], content[-_TAG_BYTES:]
        nonce = association.title + content[1:5]
        extra = AUTHENTICATED_ENCRYPTED + client.authentication_key
        plain = _stream(client.encryption_key, nonce, sealed)
        whole = AESGCM(client.encryption_key).encrypt(nonce, plain, extra)  # its tag has 16 bytes, of which 12 are sent
        if not hmac.compare_digest(whole[len(plain) :][:_TAG_BYTES], short):
            raise InvalidTag
        client.counter = counter
        return plain

    def _seal(self, client: Client, plain: bytes) -> bytes:
        assert client.encryption_key is not None
        assert client.authentication_key is not None
        self.meter.counter += 1
        counter = self.meter.counter.to_bytes(4, "big")
        extra = AUTHENTICATED_ENCRYPTED + client.authentication_key
        sealed = AESGCM(client.encryption_key).encrypt(self.meter.system_title + counter, plain, extra)
        return AUTHENTICATED_ENCRYPTED + counter + sealed[: len(plain) + _TAG_BYTES]


def _gmac(client: Client, nonce: bytes, challenge: bytes) -> bytes:
    assert client.encryption_key is not None
    assert client.authentication_key is not None
    extra = AUTHENTICATED + client.authentication_key + challenge
    return AESGCM(client.encryption_key).encrypt(nonce, b"", extra)[:_TAG_BYTES]


def _stream(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """GCM without its tag: the key stream is what it makes of zeros."""
    stream = AESGCM(key).encrypt(nonce, bytes(len(sealed)), None)[: len(sealed)]
    return bytes(a ^ b for a, b in zip(sealed, stream, strict=True))


def _octets(raw: bytes) -> bytes:
    """The content of an octet string without its tag."""
    if raw[0] < _LONG_FORM:
        length, at = raw[0], 1
    else:
        at = 1 + raw[0] - _LONG_FORM
        length = int.from_bytes(raw[1:at], "big")
    if len(raw) != at + length:
        raise ValueError(f"{len(raw) - at} bytes where {length} are announced")
    return raw[at:]


def _parts(content: bytes) -> dict[int, bytes]:
    """The elements of an AARQ by tag; all lengths are short."""
    found = {}
    while content:
        tag, length = content[0], content[1]
        found[tag] = content[2 : 2 + length]
        content = content[2 + length :]
    return found
