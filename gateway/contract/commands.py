"""Commands: what a person asks a gateway to switch or set, and what became of it.

A command proves who sent it: `signature` is the HMAC-SHA256, in hex, with that person's key, over

    TOPIC LF JSON        TOPIC: the whole topic, `tagwharf/1/{site}/{device}/command`
                         JSON: the message without `signature`, keys sorted, no blanks, UTF-8

An outcome is signed the same way, with the key of the person whom it answers and its own topic, so that nobody on the
broker can show a person a false state. Nothing of it is ever retained.

    arm      ──► armed (what the device shows, and a nonce) ──► confirm ──► sending ──► verified | failed | unknown
    direct   ──► sending ──► ...       for points that need one step only
    any      ──► refused               nothing has left the gateway
    armed    ──► cancelled | expired   likewise
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.contract.batches import Whole

LARGEST_BYTES: Final = 8 << 10
MOST_LIFE_US: Final = 60_000_000
"""How long after its issue a command may expire at most."""
MOST_AHEAD_US: Final = 5_000_000
"""How far the sender's clock may be ahead of the gateway's."""

Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z-]{8,64}$(?!\n)")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{1,32}$(?!\n)")]
Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$(?!\n)")]
Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16,64}$(?!\n)")]
Text = Annotated[str, msgspec.Meta(max_length=200)]

Kind = Literal["arm", "confirm", "direct", "cancel"]
State = Literal["armed", "sending", "verified", "failed", "unknown", "refused", "cancelled", "expired"]
FINAL: Final = frozenset({"verified", "failed", "unknown", "refused", "cancelled", "expired"})
"""States that nothing follows."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a person asks for; never retained, carried out once at most.

    Attributes:
        id: unique for ever, a UUID or ULID; one that was seen before is answered with its outcome and does nothing.
        gateway: the edge daemon that is to do it; all others stay silent.
        issued_at_us, expires_at_us: by the sender's clock; at most 60 s apart.
        by: name of the person in the site file, whose key makes the signature.
        kind: `arm` shows the state and gives a nonce, `confirm` carries out what was armed, `direct` is both where
            the site file lets it, `cancel` takes back what was armed.
        action: `trip`, `permit_close`, `close`, `on`, `off`, `pulse`, `set` ...; absent in `cancel`.
        value: of `set`, a decimal number in the unit of the point.
        nonce: from the outcome of `arm`; in `confirm` and `cancel`.
        reason: why, for the audit.
    """

    id: Id
    gateway: Name
    issued_at_us: Whole
    expires_at_us: Whole
    by: Name
    kind: Kind
    device: Name
    point: Name
    action: Word | None = None
    value: Number | None = None
    nonce: Hex | None = None
    reason: Text = ""
    signature: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a command; there may be several with one `id`, until a state that nothing follows.

    Attributes:
        id: of the command that this answers.
        order: id of the `arm` or `direct` that began the order.
        state: see above; `unknown` is sent and not known to be done or not: look at the device.
        code: why, in a fixed word; `detail` says it to a person, with what to do next.
        shows: the state of the point as read from the device just now; numbers are decimals in strings.
        nonce, expires_at_us: of `armed`: what to confirm it with, and until when.
        audit_sequence, audit_hash: the record of this in the gateway's audit; whoever keeps them can later prove that
            the audit was not shortened or rewritten.
    """

    gateway: str
    id: str
    state: State
    at_us: Whole
    device: str
    point: str
    order: str = ""
    by: str = ""
    action: str | None = None
    value: str | None = None
    code: str = ""
    detail: str = ""
    shows: dict[str, bool | str] = {}
    nonce: str | None = None
    expires_at_us: Whole | None = None
    audit_sequence: Whole | None = None
    audit_hash: str | None = None
    signature: str = ""


_encoder: Final = msgspec.json.Encoder()
_sorted: Final = msgspec.json.Encoder(order="sorted")
_decoder: Final = msgspec.json.Decoder()


def signature_of(key: bytes, topic: str, fields: dict[str, Any]) -> str:
    """The signature of a message on a topic; a `signature` among the fields is left out."""
    body = _sorted.encode({name: value for name, value in fields.items() if name != "signature"})
    return hmac.new(key, topic.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def signed(message: msgspec.Struct, key: bytes, topic: str) -> bytes:
    """The payload of a message on a topic, with its signature."""
    fields = msgspec.to_builtins(message)
    return _encoder.encode({**fields, "signature": signature_of(key, topic, fields)})


def fields_of(payload: bytes) -> dict[str, Any]:
    """The fields of a message whose sender is not known yet.

    Raises:
        msgspec.MsgspecError: no JSON object, or too large. RecursionError, UnicodeDecodeError: hostile bytes.
    """
    if len(payload) > LARGEST_BYTES:
        raise msgspec.ValidationError(f"{len(payload)} bytes; a message of this kind has {LARGEST_BYTES} at most")
    fields = _decoder.decode(payload)
    if not isinstance(fields, dict):
        raise msgspec.ValidationError("must be a JSON object")
    return fields


def is_signed(fields: dict[str, Any], key: bytes, topic: str) -> bool:
    """Whether the signature in the message is that of the key."""
    given = fields.get("signature")
    wanted = signature_of(key, topic, fields)
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def as_command(fields: dict[str, Any]) -> Command:
    """A command from its fields; raises msgspec.ValidationError."""
    return msgspec.convert(fields, Command, strict=True)


def as_outcome(fields: dict[str, Any]) -> Outcome:
    """An outcome from its fields; raises msgspec.ValidationError."""
    return msgspec.convert(fields, Outcome, strict=True)
