"""The cipher around an APDU: security suite 0, encrypted and authenticated.

    DB 08 TT..TT LL 30 CC CC CC CC X..X GG..GG    general ciphering: the sender's system title goes before
    C8 LL 30 CC CC CC CC X..X GG..GG              each service's own: C8 GET, CB ACTION; answers CC and CF
          │  │           │    └ tag of 12 bytes
          │  │           └ the APDU in AES-128-GCM
          │  └ invocation counter; with the sender's system title it is the nonce
          └ security control: suite 0, authenticated 10, encrypted 20

Source: DLMS UA Green Book Ed. 8.1, sections 9.2.7.2 and 9.2.7.3.
"""

from __future__ import annotations

from typing import Any, Final

from readers.codecs.dlms_data import Reader
from readers.errors import FrameError

AUTHENTICATED_ENCRYPTED: Final = 0x30
_GENERAL: Final = 0xDB
_OWN_REQUEST: Final = {0xC0: 0xC8, 0xC3: 0xCB}
_OWN_RESPONSES: Final = (0xCC, 0xCF)
_COUNTER_BYTES: Final = 4
_TAG_BYTES: Final = 12
_LONG_FORM: Final = 0x80


class Seal:
    """Puts APDUs into their cipher and takes them out, with the keys and counters of a connection of the library."""

    def __init__(self, connection: Any, system_title: bytes) -> None:
        self._connection = connection
        self._system_title = system_title

    def close(self, plain: bytes) -> bytes:
        """The APDU in the form of cipher that was agreed on."""
        sealed, counter = self._connection.encrypt(plain)
        content = bytes([AUTHENTICATED_ENCRYPTED]) + counter.to_bytes(_COUNTER_BYTES, "big") + sealed
        if self._connection.conformance.general_protection:
            return bytes([_GENERAL]) + _sized(self._system_title) + _sized(content)
        return bytes([_OWN_REQUEST[plain[0]]]) + _sized(content)

    def open(self, apdu: bytes) -> bytes:
        """The APDU in its cipher; what is in none comes back as it is.

        Raises:
            FrameError: it is of another sender or security. The library's own errors: wrong key, or an old counter.
        """
        if apdu[0] not in (_GENERAL, *_OWN_RESPONSES):
            return apdu
        reader = Reader(apdu[1:])
        if apdu[0] == _GENERAL:
            title = reader.take(reader.length())
            if title and title != self._connection.meter_system_title:
                raise FrameError("system_title", f"a cipher of {title.hex().upper()}, which is not this meter", apdu)
        content = reader.take(reader.length())
        reader.end()
        if len(content) <= 1 + _COUNTER_BYTES + _TAG_BYTES or content[0] != AUTHENTICATED_ENCRYPTED:
            raise FrameError("cipher", "must be encrypted and authenticated by suite 0", apdu)
        self._connection.update_meter_invocation_counter(int.from_bytes(content[1 : 1 + _COUNTER_BYTES], "big"))
        return bytes(self._connection.decrypt(content[1 + _COUNTER_BYTES :]))


def _sized(content: bytes) -> bytes:
    """An octet string without its tag."""
    if len(content) < _LONG_FORM:
        return bytes([len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([_LONG_FORM | size]) + len(content).to_bytes(size, "big") + content
