"""What a failed TLS connection means for a person, and what to do about it.

Libraries wrap the errors of OpenSSL in their own and keep only its words, so these are what is looked at.

Source: OpenSSL 3.0, x509_txt.c and ssl_err.c; RFC 8446, section 6.2, for the alerts.
"""

from __future__ import annotations

import re
from typing import Final

_REFUSED: Final = "the other side refuses our certificate"
_OURS: Final = "certificate_file and key_file of the tls table"
_OF_THEIRS: Final = (
    ("certificate has expired", "its certificate has expired: renew it there; look at the clocks of both sides, too"),
    (
        "certificate is not yet valid",
        "its certificate is not valid yet: look at the clocks of both sides, or wait until it is",
    ),
    ("hostname mismatch", "its certificate is of another name: correct the host, or set server_name in the tls table"),
    (
        "ip address mismatch",
        (
            "its certificate does not name this address: use the host name that it names, or set server_name in the "
            "tls table"
        ),
    ),
    (
        "self-signed certificate",
        (
            "no authority that we trust has signed its certificate: give that authority as ca_file of the tls table, "
            "if it is the right one"
        ),
    ),
    (
        "unable to get local issuer certificate",
        (
            "no authority that we trust has signed its certificate: give that authority as ca_file of the tls table, "
            "if it is the right one; a server must send its intermediate certificates, too"
        ),
    ),
    ("unable to verify the first certificate", "it does not send its intermediate certificates: add them there"),
    ("unsuitable certificate purpose", "its certificate is none of a server: have one issued for servers"),
    ("certificate signature failure", "its certificate is not signed by the authority of that name: see ca_file"),
    ("is pinned", "compare its fingerprint over another way before you change fingerprint_sha256"),
)
_OF_OURS: Final = {
    "CERTIFICATE_REQUIRED": f"the other side asks for a certificate of ours: set {_OURS}",
    "CERTIFICATE_EXPIRED": f"{_REFUSED}, which has expired for it: renew {_OURS}",
    "CERTIFICATE_REVOKED": f"{_REFUSED}, which is revoked: have a new one issued for {_OURS}",
    "UNKNOWN_CA": f"{_REFUSED}, of an authority that it does not know: have it issued by the one that it trusts",
    "BAD_CERTIFICATE": f"{_REFUSED}: have it issued by the authority that it trusts, for clients",
    "UNSUPPORTED_CERTIFICATE": f"{_REFUSED}: have one issued for clients",
    "CERTIFICATE_UNKNOWN": f"{_REFUSED}: look at its log, and at {_OURS}",
    "ACCESS_DENIED": f"{_REFUSED}: it may not do this there",
    "HANDSHAKE_FAILURE": f"the two have no way in common, or it misses a certificate of ours: see {_OURS}, its TLS "
    "version and its ciphers",
}
_OLD: Final = "it speaks TLS 1.1 or older only, which is not safe any more: set it to TLS 1.2 or 1.3, or update it"
_PLAIN: Final = "its answer is no TLS: check that it speaks TLS on this port"
_NO_TLS: Final = {
    "UNSUPPORTED_PROTOCOL": _OLD,
    "PROTOCOL_VERSION": _OLD,
    "WRONG_SSL_VERSION": _OLD,
    "NO_PROTOCOLS_AVAILABLE": _OLD,
    "WRONG_VERSION_NUMBER": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
}
_REASON: Final = re.compile(r"\[SSL: ([A-Z0-9_]+)\]")
_ALERT: Final = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_ALERT_")


def advice(error: BaseException) -> str | None:
    """What a failure of TLS means and what to do; None when it is none."""
    text = _words(error)
    lower = text.lower()
    for words, said in _OF_THEIRS:
        if words in lower:
            return said
    found = _REASON.search(text)
    if found is None:
        return None
    reason = _ALERT.sub("", found[1])
    return _OF_OURS.get(reason) or _NO_TLS.get(reason)


def advised(error: BaseException) -> str:
    """`; ` and the advice, for the end of a message; empty when there is none."""
    said = advice(error)
    return "" if said is None else f"; {said}"


def _words(error: BaseException) -> str:
    """Those of the error, and of what it was caused by."""
    words, each = [], error
    for _ in range(8):  # a chain of causes may be a ring
        words += [str(each), str(getattr(each, "verify_message", ""))]
        following = each.__cause__ or each.__context__
        if following is None:
            break
        each = following
    return " ".join(words)
