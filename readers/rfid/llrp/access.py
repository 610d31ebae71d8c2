"""AccessSpecs: memory of tags read along with the inventory, and single operations on one tag; and their results.

    ADD_ACCESSSPEC 40
      AccessSpec 207            id x 32 | antenna x 16 | protocol x 8 | active x 1, 0 x 7 | ROSpec id x 32
        AccessSpecStopTrigger 208   type x 8 | number of executions x 16
        AccessCommand 209
          C1G2TagSpec 338 > C1G2TargetTag 339   bank x 2, match x 1, 0 x 5 | bit x 16 | mask bits | data bits
          C1G2Read 341          OpSpec id x 16 | password x 32 | bank x 2, 0 x 6 | word x 16 | number of words x 16
          C1G2Write 342, C1G2BlockWrite 347     the same, and the words
        AccessReportSpec 239    when to report x 8
    in TagReportData 240
      C1G2ReadOpSpecResult 349      result x 8 | OpSpec id x 16 | number of words x 16 | words
      C1G2WriteOpSpecResult 350, C1G2BlockWriteOpSpecResult 354     result x 8 | OpSpec id x 16 | words written x 16

Source: LLRP 1.0.1 sections 11, 16.1.21 to 16.1.30, 16.2.5 and 16.3.1.3 to 16.3.1.5; the results above 3 for reads and
above 6 for writes are of LLRP 1.1, section 17.3.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from readers.access import WORD_BYTES, AccessFault, Bank
from readers.credentials import credential
from readers.errors import ConfigError, DeviceRefusedError, FrameError
from readers.rfid.llrp.answers import Capabilities
from readers.rfid.llrp.framing import parameters
from readers.rfid.llrp.reports import EPC_96, EPC_DATA, READ_RESULT, TAG_REPORT_DATA, TID_OPSPEC, USER_OPSPEC
from readers.rfid.llrp.settings import LlrpSettings

# Numbers that no other program is likely to use, so that a leftover of ours can be told from its own.
BACKGROUND_ID: Final = 0x7A01
STATION_ID: Final = 0x7A02
OURS: Final = (BACKGROUND_ID, STATION_ID)
STATION_OPSPEC: Final = 0x7B00  # and those after it
BANKS: Final = {"epc": Bank.EPC, "tid": Bank.TID, "user": Bank.USER}
LONGEST_EPC_WORDS: Final = 31  # the length field of the PC word has five bits
_ACCESSSPEC: Final = 207
_ACCESSSPEC_ID: Final = 16
_WRITE_RESULTS: Final = (350, 354)
_ALL_ANTENNAS: Final = 0
_GEN2: Final = 1
_FOREVER, _COUNTED = 0, 1
_WITH_THE_INVENTORY, _AT_ITS_END = 0, 1
_PC_BIT: Final = 0x10  # where the PC word begins in the EPC bank; its top five bits are the length of the EPC in words
_LENGTH_SHIFT: Final = 11
_EPC_BIT: Final = 0x20
_ANY: Final = ""
_ID: Final = Struct(">I")
_SPEC: Final = Struct(">IHBBI")
_ACTIVE_FLAG: Final = 0x80
_RESULT: Final = Struct(">BHH")
_BIT_COUNT: Final = Struct(">H")
_PASSWORD: Final = re.compile(r"[0-9A-Fa-f]{8}")
SUCCESS: Final = 0

READ_FAULTS: Final[dict[int, tuple[AccessFault, str]]] = {
    1: (AccessFault.OTHER, "the tag answered with an error: memory that it does not have, or a lock, or the password"),
    2: (AccessFault.NO_TAG, "the tag stopped answering"),
    3: (AccessFault.OTHER, "the reader failed"),
    4: (AccessFault.OVERRUN, "the tag has no such words"),
    5: (AccessFault.LOCKED, "the words are locked against reading"),
    6: (AccessFault.WRONG_PASSWORD, "the access password is wrong"),
}
WRITE_FAULTS: Final[dict[int, tuple[AccessFault, str]]] = {
    1: (AccessFault.OVERRUN, "the tag has no such words"),
    2: (AccessFault.LOCKED, "the words are locked against writing"),
    3: (AccessFault.LOW_POWER, "the tag has too little power to write: bring it closer"),
    4: (AccessFault.OTHER, "the tag answered with an error: a lock or the password"),
    5: (AccessFault.LOST, "the tag stopped answering"),
    6: (AccessFault.LOST, "the reader failed"),
    7: (AccessFault.WRONG_PASSWORD, "the access password is wrong"),
}


@dataclass(frozen=True, slots=True)
class Reads:
    """What is read of each tag along with its EPC; 0 words for nothing."""

    tid_words: int
    user_words: int
    password: int


@dataclass(frozen=True, slots=True)
class Held:
    """An AccessSpec that the reader holds."""

    id: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class OpResult:
    """What became of one operation. `data` are the words read; None for a write."""

    opspec_id: int
    code: int
    data: bytes | None
    words_written: int = 0


@dataclass(frozen=True, slots=True)
class TagResult:
    """One TagReportData with what was done to its tag; no results where the tag was only heard."""

    epc: bytes
    accessspec_id: int | None
    results: tuple[OpResult, ...]


def password_of(settings: LlrpSettings) -> int:
    """The access password for reads along with the inventory, 32 bits; 0, which opens nothing, where none is set.

    Raises:
        ConfigError: the credential is missing, or holds no password.
    """
    name = settings.access_password_credential
    if name is None:
        return 0
    text = credential(name)
    if not _PASSWORD.fullmatch(text):
        raise ConfigError(
            f"access_password_credential: credential {name!r} has {len(text)} characters; an access password is "
            "8 hex digits, as in 1A2B3C4D; write it into the credential"
        )
    return int(text, 16)


def reads(settings: LlrpSettings, can: Capabilities, password: int, *, fast_id: bool) -> Reads | None:
    """What an AccessSpec must read along with the inventory; None for nothing.

    Raises:
        DeviceRefusedError: the reader does not do so many operations at once.
    """
    tid_words = settings.tid_words if settings.read_tid and not fast_id else 0
    operations = bool(tid_words) + bool(settings.read_user_words)
    if not operations:
        return None
    if 0 < can.max_opspecs < operations:
        raise DeviceRefusedError(
            f"read_tid and read_user_words: the reader does {can.max_opspecs} operation at a time, these are "
            f"{operations}; leave one of them out"
        )
    return Reads(tid_words, settings.read_user_words, password)


def background(what: Reads, rospec_id: int) -> dict[str, Any]:
    """The AccessSpec, in sllurp's terms, that reads memory of each tag of an inventory, for ever."""
    operations = []
    if what.tid_words:
        operations.append(read(TID_OPSPEC, Bank.TID, 0, what.tid_words, what.password))
    if what.user_words:
        operations.append(read(USER_OPSPEC, Bank.USER, 0, what.user_words, what.password))
    target = _target(_EPC_BIT, _ANY, _ANY)  # a mask of no bits fits every tag
    return _spec(BACKGROUND_ID, rospec_id, target, operations, executions=0, report=_WITH_THE_INVENTORY)


def once(epc: bytes, operation: dict[str, Any], rospec_id: int) -> dict[str, Any]:
    """The AccessSpec that does one operation, once, on a tag with exactly this EPC.

    The length in the PC word is compared too: a longer EPC that begins like this one is another tag.
    """
    length = len(epc) // WORD_BYTES << _LENGTH_SHIFT
    mask = (0x1F << _LENGTH_SHIFT).to_bytes(2) + b"\xff" * len(epc)
    target = _target(_PC_BIT, mask.hex(), (length.to_bytes(2) + epc).hex())
    return _spec(STATION_ID, rospec_id, target, [operation], executions=1, report=_AT_ITS_END)


def read(opspec_id: int, bank: Bank, word: int, words: int, password: int) -> dict[str, Any]:
    """C1G2Read."""
    head = {"OpSpecID": opspec_id, "AccessPassword": password, "MB": bank.value, "WordPtr": word}
    return {"C1G2Read": {**head, "WordCount": words}}


def write(opspec_id: int, bank: Bank, word: int, data: bytes, password: int, *, block: bool) -> dict[str, Any]:
    """C1G2Write, or C1G2BlockWrite."""
    head = {"OpSpecID": opspec_id, "AccessPassword": password, "MB": bank.value, "WordPtr": word}
    words = {"WriteDataWordCount": len(data) // WORD_BYTES, "WriteData": data}
    return {"C1G2BlockWrite" if block else "C1G2Write": head | words}


def _target(bit: int, mask: str, data: str) -> dict[str, Any]:
    return {"MB": Bank.EPC.value, "M": True, "Pointer": bit, "TagMask": mask, "TagData": data}


def _spec(
    spec_id: int,
    rospec_id: int,
    target: dict[str, Any],
    operations: list[dict[str, Any]],
    *,
    executions: int,
    report: int,
) -> dict[str, Any]:
    stop = {"AccessSpecStopTriggerType": _COUNTED if executions else _FOREVER, "OperationCountValue": executions}
    command = {"TagSpecParameter": {"C1G2TagSpec": {"C1G2TargetTag": [target]}}, "OpSpecParameter": operations}
    return {
        "AccessSpecID": spec_id,
        "AntennaID": _ALL_ANTENNAS,
        "ProtocolID": _GEN2,
        "CurrentState": False,
        "ROSpecID": rospec_id,
        "AccessSpecStopTrigger": stop,
        "AccessCommand": command,
        "AccessReportSpec": {"AccessReportTrigger": report},
    }


def held(payload: bytes) -> tuple[Held, ...]:
    """The AccessSpecs of GET_ACCESSSPECS_RESPONSE.

    Raises:
        FrameError: one is damaged.
    """
    found = []
    for parameter in parameters(payload):
        if parameter.type == _ACCESSSPEC:
            if len(parameter.value) < _SPEC.size:
                raise FrameError("accessspec", f"{len(parameter.value)} bytes, at least {_SPEC.size}", parameter.value)
            spec_id, _, _, flags, _ = _SPEC.unpack_from(parameter.value)
            found.append(Held(spec_id, bool(flags & _ACTIVE_FLAG)))
    return tuple(found)


def tag_results(payload: bytes) -> Iterator[TagResult]:
    """The tags of a RO_ACCESS_REPORT and what was done to them; for single operations, not for the hot path.

    Raises:
        FrameError: a record is damaged.
    """
    for record in parameters(payload):
        if record.type != TAG_REPORT_DATA:
            continue
        epc, spec_id, results = b"", None, []
        for part in parameters(record.value):
            if part.type == EPC_96:
                epc = part.value
            elif part.type == EPC_DATA:
                epc = part.value[_BIT_COUNT.size :]
            elif part.type == _ACCESSSPEC_ID:
                (spec_id,) = _ID.unpack(part.value)
            elif part.type == READ_RESULT or part.type in _WRITE_RESULTS:
                results.append(_result(part.type, part.value))
        yield TagResult(epc, spec_id, tuple(results))


def _result(kind: int, value: bytes) -> OpResult:
    if len(value) < _RESULT.size:
        raise FrameError("result", f"an operation's result of {len(value)} bytes, at least {_RESULT.size}", value)
    code, opspec_id, words = _RESULT.unpack_from(value)
    if kind in _WRITE_RESULTS:
        return OpResult(opspec_id, code, None, words)
    data = value[_RESULT.size : _RESULT.size + words * WORD_BYTES]
    if len(data) != words * WORD_BYTES:
        raise FrameError("result", f"{words} words are announced, {len(data)} bytes are there", value)
    return OpResult(opspec_id, code, data)
