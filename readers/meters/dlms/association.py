"""One association with one logical device: which APDU is sent next, and what the one that came says. No I/O.

    AARQ →              ← AARE                          who we are; what both sides can do
    ACTION f(StoC) →    ← ACTION f(CtoS)                HLS only: both prove that they have the keys
    GET →               ← GET response                  one value, a list of them, or the first of several blocks
    GET next →          ← GET response with block ...

With keys every APDU after the AARQ is encrypted and authenticated by AES-128-GCM (security suite 0): in general
ciphering where both sides know it, else in the older form that each service has of its own.

Source: DLMS UA Green Book Ed. 8.1, sections 9.2.7 (security), 9.3 (services), 9.5 (APDUs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from readers.codecs.dlms_data import Denied, Reader, Result, Value, decode
from readers.errors import FrameError, ReaderError
from readers.meters.dlms.library import library
from readers.meters.dlms.seal import Seal
from readers.obis import ObisCode

CLIENT_MAX_PDU_BYTES: Final = 1024
MOST_ANSWER_BYTES: Final = 1 << 20
MOST_BLOCKS: Final = 4096
MOST_COUNTER: Final = 0xFFFF_FFFF
_GET_RESPONSE: Final = 0xC4
_ACTION_RESPONSE: Final = 0xC7
_EXCEPTION: Final = 0xD8
_NOTIFICATIONS: Final = (0x0F, 0xC2)
_WITH_LIST: Final = 3
_ID_BITS: Final = 0x0F
_AARE: Final = 0x61
_LONG_FORM: Final = 0x81
_CLOCK: Final = (8, ObisCode(0, 0, 1, 0, 0))
_ASSOCIATION: Final = (15, ObisCode(0, 0, 40, 0, 0))
_REPLY_TO_HLS: Final = 1
_HLS_BYTES: Final = 17
_CHALLENGE_BYTES: Final = 16


class StaleError(ReaderError):
    """An APDU that answers an earlier request, or none: wait on."""


class ServiceError(ReaderError):
    """The meter cannot do what was asked in this form, or knows of no association."""


class StrangeValueError(ReaderError):
    """The answer holds something that is not understood here; the association goes on."""


class LostError(ReaderError):
    """The association is over, or cannot be followed any more: begin anew."""


class AssociationRefusedError(ReaderError):
    """The meter will not have this client.

    Attributes:
        is_for_good: asking again in the same way will not help.
    """

    def __init__(self, detail: str, *, is_for_good: bool) -> None:
        self.is_for_good = is_for_good
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the client is. With neither password nor keys it is anybody."""

    password: bytes | None = field(default=None, repr=False)
    encryption_key: bytes | None = field(default=None, repr=False)
    authentication_key: bytes | None = field(default=None, repr=False)
    system_title: bytes = b""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What is asked for."""

    class_id: int
    obis: ObisCode
    attribute: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows of a profile are asked for, by its clock."""

    since: datetime
    until: datetime


class Association:
    """One association.

    Args:
        counter: the invocation counter of the first ciphered APDU; it must be above all that the meter has seen.
    """

    def __init__(self, identity: Identity, counter: int = 0) -> None:
        self._library = library()
        self._identity = identity
        self._is_ciphered = identity.encryption_key is not None
        self._connection = self._connect(identity, counter)
        self._seal = Seal(self._connection, identity.system_title) if self._is_ciphered else None
        self._invoke_id = 0
        self._blocks = bytearray()
        self._next_block = 0
        self._wanted = 0
        self.is_open = False

    @property
    def counter(self) -> int:
        """The invocation counter of the next ciphered APDU."""
        return int(self._connection.client_invocation_counter)

    @property
    def takes_lists(self) -> bool:
        """The meter answers requests for several attributes."""
        return bool(self._connection.conformance.multiple_references)

    def _connect(self, identity: Identity, counter: int) -> Any:
        known = self._library
        conformance = known.conformance.Conformance(
            general_protection=self._is_ciphered,
            priority_management_supported=True,
            block_transfer_with_get_or_read=True,
            multiple_references=True,
            get=True,
            selective_access=True,
            action=True,
        )
        mechanisms = known.enumerations.AuthenticationMechanism
        by_password = None if identity.password is None else mechanisms.LLS
        return known.connection.DlmsConnection(
            authentication_method=mechanisms.HLS_GMAC if self._is_ciphered else by_password,
            password=identity.password,
            challenge_length=_CHALLENGE_BYTES,
            client_system_title=identity.system_title or bytes(8),
            global_encryption_key=identity.encryption_key,
            global_authentication_key=identity.authentication_key,
            client_invocation_counter=counter,
            meter_invocation_counter=-1,
            max_pdu_size=CLIENT_MAX_PDU_BYTES,
            conformance=conformance,
        )

    def request(self) -> bytes:
        """The AARQ."""
        request = self._connection.get_aarq()
        if not self._is_ciphered:
            request.system_title = None
        return bytes(self._connection.send(request))

    def take_response(self, apdu: bytes) -> bytes | None:
        """Take the AARE, or the meter's answer to our proof; the APDU to send next, None when all is done.

        Raises:
            AssociationRefusedError: the meter refuses. FrameError: it answers nonsense. StaleError: not the answer.
        """
        if not apdu:
            raise FrameError("apdu", "an empty APDU")
        if apdu[0] in _NOTIFICATIONS:
            raise StaleError(apdu[0])
        if apdu[0] == _AARE:
            return self._take_aare(apdu)
        plain = self._opened(apdu)
        if plain[0] == _EXCEPTION:
            detail = f"it answered the request for an association with exception {plain[1:].hex(' ').upper()}"
            raise AssociationRefusedError(detail, is_for_good=False)
        if plain[0] != _ACTION_RESPONSE:
            raise StaleError(plain[0])
        self._take_proof(plain)
        return None

    def get(self, attributes: Sequence[Attribute], span: Span | None = None) -> bytes:
        """Ask for attributes; for one only where `takes_lists` is False, or with a span."""
        known = self._library
        self._blocks.clear()
        self._next_block = 1
        self._wanted = len(attributes)
        targets = [
            known.cosem.CosemAttribute(each.class_id, self._name(each.obis), each.attribute) for each in attributes
        ]
        if len(targets) == 1:
            selection = None if span is None else self._range(span)
            request = known.xdlms.GetRequestNormal(targets[0], self._next_id(), selection)
        else:
            items = [known.cosem.CosemAttributeWithSelection(target, None) for target in targets]
            request = known.xdlms.GetRequestWithList(items, self._next_id())
        return self._protected(request)

    def take_values(self, apdu: bytes) -> bytes | list[Result]:
        """Take the answer to `get`: all values, or the request for the next block.

        Raises:
            StaleError: not the answer. ServiceError: the meter cannot. LostError: the association is over.
            StrangeValueError: a value is of no known type. FrameError: nonsense; the association cannot be followed.
        """
        plain = self._answer(apdu, _GET_RESPONSE)
        if plain[1] == _WITH_LIST:
            self._happened(self._library.xdlms.GetResponseWithList(response_data=[]))
            return self._list(plain[3:])
        known = self._library.xdlms
        response = self._understood(known.GetResponseFactory.from_bytes, plain)
        self._happened(response)
        if isinstance(response, known.GetResponseNormal):
            return [_value(response.data)]
        if isinstance(response, known.GetResponseNormalWithError | known.GetResponseLastBlockWithError):
            return [Denied(int(response.error))] * self._wanted
        return self._take_block(response, is_last=isinstance(response, known.GetResponseLastBlock))

    def act(self, class_id: int, obis: ObisCode, method: int, parameter: bytes) -> bytes:
        """Call a method."""
        known = self._library
        target = known.cosem.CosemMethod(class_id, self._name(obis), method)
        return self._protected(known.xdlms.ActionRequestNormal(target, parameter, self._next_id()))

    def take_outcome(self, apdu: bytes) -> int:
        """Take the answer to `act`: its Action-Result, 0 for success.

        Raises:
            StaleError: not the answer. ServiceError: the meter cannot. LostError: the association is over.
            FrameError: nonsense; the association cannot be followed any more.
        """
        plain = self._answer(apdu, _ACTION_RESPONSE)
        response = self._understood(self._library.xdlms.ActionResponseFactory.from_bytes, plain)
        self._happened(response)
        return int(response.status)

    def release(self) -> bytes:
        """The RLRQ, which the meter answers with a RLRE that need not be taken."""
        reason = self._library.enumerations.ReleaseRequestReason.NORMAL
        self.is_open = False
        return bytes(self._library.acse.ReleaseRequest(reason=reason).to_bytes())

    def _take_aare(self, apdu: bytes) -> bytes | None:
        known, connection, ours = self._library, self._connection, self._connection.authentication_method
        whole = apdu[:1] + apdu[2:] if len(apdu) > 1 and apdu[1] == _LONG_FORM else apdu  # the library knows short ones
        connection.receive_data(whole)
        try:
            response = connection.next_event()
        except known.exceptions.DecryptionError as error:
            detail = "it answers in a cipher that our keys do not open; check both keys and the client's number"
            raise AssociationRefusedError(detail, is_for_good=True) from error
        except known.failures() as error:
            connection.clear_buffer()
            raise FrameError("aare", str(error), apdu) from error
        if response.result is not known.enumerations.AssociationResult.ACCEPTED:
            diagnostic = response.result_source_diagnostics
            reason = getattr(diagnostic, "name", str(diagnostic)).lower().replace("_", " ")
            is_for_good = response.result is known.enumerations.AssociationResult.REJECTED_PERMANENT
            raise AssociationRefusedError(f"it refuses the association: {reason}", is_for_good=is_for_good)
        theirs = response.authentication
        if theirs is not ours and theirs is not None and theirs.name.startswith("HLS"):
            raise AssociationRefusedError(f"it asks for a proof by {theirs.name}, not for ours", is_for_good=True)
        if connection.state.current_state is known.state.SHOULD_SEND_HLS_SEVER_CHALLENGE_RESULT:
            return self._proof()
        if self._is_ciphered:
            raise AssociationRefusedError("it accepts the association, but does not ask for a proof", is_for_good=True)
        self.is_open = True
        return None

    def _proof(self) -> bytes:
        """What shows the meter that we have the keys."""
        connection = self._connection
        if len(connection.meter_system_title or b"") != len(self._identity.system_title):
            raise FrameError("aare", "the meter does not say its system title")
        # No two ciphers may have the same counter, and the meter opens the outer one first.
        first = connection.client_invocation_counter
        connection.client_invocation_counter = first + 1
        proof = self._understood(connection.get_hls_reply)
        connection.client_invocation_counter = first
        sent = self.act(*_ASSOCIATION, _REPLY_TO_HLS, bytes([9, len(proof)]) + proof)
        connection.client_invocation_counter = first + 2
        return sent

    def _take_proof(self, plain: bytes) -> None:
        known, connection = self._library, self._connection
        response = self._understood(known.xdlms.ActionResponseFactory.from_bytes, plain)
        refused = AssociationRefusedError(
            "it does not accept our proof, or cannot prove that it has the keys; check both keys", is_for_good=True
        )
        if not isinstance(response, known.xdlms.ActionResponseNormalWithData) or int(response.status):
            raise refused
        proof = decode(bytes(response.data))
        self._happened(response)
        if not isinstance(proof, bytes) or len(proof) != _HLS_BYTES:
            raise refused
        if not self._understood(connection.hls_response_valid, proof):
            raise refused
        self._happened(known.state.HlsSuccess())
        self.is_open = True

    def _take_block(self, response: Any, *, is_last: bool) -> bytes | list[Result]:
        if response.block_number != self._next_block:
            raise FrameError("block", f"block {response.block_number} came instead of {self._next_block}")
        self._blocks += response.data
        self._next_block += 1
        if len(self._blocks) > MOST_ANSWER_BYTES or self._next_block > MOST_BLOCKS:
            raise FrameError("block", f"{len(self._blocks)} bytes and more in {self._next_block} blocks are too many")
        if not is_last:
            known = self._library
            return self._protected(known.xdlms.GetRequestNext(response.block_number, self._id()))
        whole = bytes(self._blocks)
        self._blocks.clear()
        return self._list(whole) if self._wanted > 1 else [_value(whole)]

    def _list(self, data: bytes) -> list[Result]:
        try:
            results = Reader(data).results()
        except FrameError as error:
            raise StrangeValueError(str(error)) from error
        if len(results) != self._wanted:
            raise StrangeValueError(f"{len(results)} values came where {self._wanted} were asked for")
        return results

    def _answer(self, apdu: bytes, tag: int) -> bytes:
        """The plain APDU, when it is the answer that is waited for."""
        plain = self._opened(apdu)
        if plain[0] == _EXCEPTION:
            exception = self._understood(self._library.xdlms.ExceptionResponse.from_bytes, plain)
            if tag == _GET_RESPONSE:  # the library knows of none after ACTION; who called begins anew
                self._happened(exception)
            raise ServiceError(f"exception {plain[1:].hex(' ').upper()}")
        if plain[0] in (_GET_RESPONSE, _ACTION_RESPONSE):
            if plain[0] == tag and len(plain) > 3 and plain[2] & _ID_BITS == self._invoke_id:  # noqa: PLR2004 - header
                return plain
            raise StaleError(plain[0])
        if plain[0] in _NOTIFICATIONS:
            raise StaleError(plain[0])
        raise LostError(f"APDU {plain[:8].hex(' ').upper()} came instead of an answer")

    def _protected(self, request: Any) -> bytes:
        """The APDU of a request, in its cipher where there are keys."""
        self._happened(request)
        plain = bytes(request.to_bytes())
        if self._seal is None:
            return plain
        if self.counter >= MOST_COUNTER:
            raise LostError("the invocation counter is used up; the meter needs a new encryption key")
        return self._seal.close(plain)

    def _opened(self, apdu: bytes) -> bytes:
        """The plain APDU in one that came.

        Raises:
            FrameError: it is none, or its cipher is not that of this association.
        """
        if not apdu:
            raise FrameError("apdu", "an empty APDU")
        if self._seal is None:
            return apdu
        if apdu[0] in (_GET_RESPONSE, _ACTION_RESPONSE):
            raise FrameError("plain", "a plain answer in a ciphered association", apdu)
        plain: bytes = self._understood(self._seal.open, apdu)
        return plain

    def _happened(self, event: Any) -> None:
        """Let the library's own state follow; it objects to what comes at the wrong moment."""
        self._understood(self._connection.state.process_event, event)

    def _understood(self, call: Any, *given: Any) -> Any:
        try:
            return call(*given)
        except self._library.failures() as error:
            raise FrameError("apdu", f"{type(error).__name__}: {error}") from error

    def _range(self, span: Span) -> Any:
        known = self._library
        class_id, name = _CLOCK
        clock = known.cosem.CosemAttribute(class_id, self._name(name), 2)
        clock.interface = known.enumerations.CosemInterface(class_id)
        return known.selection.RangeDescriptor(known.selection.CaptureObject(clock), span.since, span.until)

    def _name(self, code: ObisCode) -> Any:
        return self._library.cosem.Obis(code.a, code.b, code.c, code.d, code.e, code.f)

    def _next_id(self) -> Any:
        self._invoke_id = self._invoke_id % _ID_BITS + 1
        return self._id()

    def _id(self) -> Any:
        invoke = self._library.xdlms.InvokeIdAndPriority
        return invoke(invoke_id=self._invoke_id, confirmed=True, high_priority=True)


def _value(data: bytes) -> Value:
    try:
        return decode(data)
    except FrameError as error:
        raise StrangeValueError(str(error)) from error
