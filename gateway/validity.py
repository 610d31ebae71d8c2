"""From when to when a certificate is in force.

    Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
    TBSCertificate ::= SEQUENCE { [0] version OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
                                  validity SEQUENCE { notBefore, notAfter }, subject, ... }
    each time      ::= UTCTime "YYMMDDHHMMSSZ" or GeneralizedTime "YYYYMMDDHHMMSSZ"

Source: RFC 5280, sections 4.1 and 4.1.2.5; ITU-T X.690 for the definite lengths of DER.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Final

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_LONG: Final = 0x80
_LENGTH_BYTES_MOST: Final = 3
_CENTURY_PIVOT: Final = 50
"""Two-digit years from 50 on are of the 20th century."""


def validity(pem: str) -> tuple[datetime, datetime]:
    """When the first certificate of a PEM file begins and ends to be in force.

    Raises:
        ValueError: it holds none.
    """
    return validity_of(_next_of(pem, 0)[0])


def validities(pem: str) -> list[tuple[datetime, datetime]]:
    """When each certificate of a PEM file begins and ends to be in force.

    Raises:
        ValueError: it holds none, or one that is none.
    """
    found = []
    at = 0
    while at == 0 or pem.find(_BEGIN, at) >= 0:
        der, at = _next_of(pem, at)
        found.append(validity_of(der))
    return found


def validity_of(der: bytes) -> tuple[datetime, datetime]:
    """When a certificate in DER begins and ends to be in force.

    Raises:
        ValueError: it is none.
    """
    _, certificate, _ = _element(der, _SEQUENCE)
    _, rest, _ = _element(certificate, _SEQUENCE)
    if rest[:1] == bytes([_VERSION]):
        _, _, rest = _element(rest)
    for _ in range(3):  # serial number, algorithm, issuer
        _, _, rest = _element(rest)
    _, times, _ = _element(rest, _SEQUENCE)
    kind, not_before, times = _element(times)
    first = _time(kind, not_before)
    kind, not_after, _ = _element(times)
    return first, _time(kind, not_after)


def _next_of(pem: str, at: int) -> tuple[bytes, int]:
    """The next certificate in DER, and where it ends."""
    start = pem.find(_BEGIN, at)
    end = pem.find(_END, start)
    if start < 0 or end < 0:
        raise ValueError("holds no certificate in PEM form")
    return ssl.PEM_cert_to_DER_cert(pem[start : end + len(_END)]), end + len(_END)


def _element(data: bytes, wanted: int | None = None) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    if len(data) < 2 or (wanted is not None and data[0] != wanted):  # noqa: PLR2004  # tag and length
        raise ValueError("is no certificate: its DER is cut short or of another kind")
    start, length = 2, data[1]
    if length & _LONG:
        count = length & ~_LONG
        if not 1 <= count <= _LENGTH_BYTES_MOST:
            raise ValueError("is no certificate: a length in its DER is out of range")
        start += count
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("is no certificate: its DER is cut short")
    return data[0], data[start : start + length], data[start + length :]


def _time(kind: int, content: bytes) -> datetime:
    text = content.decode("ascii", "replace")
    if kind == _UTC_TIME:
        century = "19" if text[:2] >= str(_CENTURY_PIVOT) else "20"
        text = century + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("is no certificate: its validity is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
