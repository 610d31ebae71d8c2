"""The APDUs of DL/T 698.45 that reading needs: GET with its variants, error replies, and replies with a MAC.

    05 01 PP OOOOOOOO 00                   GET one attribute
    05 02 PP NN OOOOOOOO.. 00              GET a list of attributes
    05 03 PP OOOOOOOO RSD RCSD 00          GET records: which rows, which columns
    05 05 PP BBBB 00                       GET the block after that number
    85 01 PP OOOOOOOO R.. FF TT            the reply: R is 00 and an error (DAR), or 01 and a value
    85 02 PP NN OOOOOOOO R.. .. FF TT      the reply to a list
    85 03 PP OOOOOOOO RCSD R.. FF TT       the reply to records: R is 00 and a DAR, or 01, a count and so many rows
    85 05 PP LL BBBB R.. FF TT             a block: L is 01 for the last one; R is 00 and a DAR, 01 results, 02 records
    EE PP EE TT                            the meter cannot read the APDU (1), or has no such service (2)
    90 R.. 00 / 01 MAC                     a secured reply: R is 00 and the reply in clear, 01 encrypted, 02 a DAR

P is the number of the exchange (D5-D0), O an attribute; FF is what the meter reports along, TT a time tag, and each is
00 when there is none.

Source: DL/T 698.45-2017 by a public ASN.1 module and published frames; the form of EE [from memory].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.codecs.dlt698_data import Column, Data, Oad, Reader, encode_columns, encode_data, encode_length
from readers.errors import FrameError

GET: Final = 0x05
GET_REPLY: Final = 0x85
SECURITY_REQUEST: Final = 0x10
SECURITY_REPLY: Final = 0x90
REPORT: Final = 0x88
ERROR_REPLY: Final = 0xEE
PIID_MASK: Final = 0x3F
LATEST: Final = 9
"""The row selection by how many of the latest."""

_NO_TIME_TAG: Final = b"\0"
_TIME_TAG_BYTES: Final = 7 + 3
_BLOCK_BYTES: Final = 2
_NORMAL, _LIST, _RECORD, _RECORD_LIST, _NEXT = range(1, 6)
_FOLLOW_NORMAL, _FOLLOW_RECORD = 1, 2
_PLAIN, _ENCRYPTED, _REFUSED = range(3)
_DAR: Final = 0


class Dar(IntEnum):
    """Why a meter does not give a value."""

    SUCCESS = 0
    HARDWARE = 1
    BUSY_NOW = 2
    DENIED = 3
    OBJECT_UNDEFINED = 4
    CLASS_MISMATCH = 5
    NO_SUCH_OBJECT = 6
    TYPE_MISMATCH = 7
    OUT_OF_RANGE = 8
    BLOCK_UNAVAILABLE = 9
    BLOCKS_CANCELLED = 10
    NO_BLOCKS = 11
    WRITE_CANCELLED = 12
    NO_WRITE = 13
    BLOCK_NUMBER_WRONG = 14
    NOT_AUTHORISED = 15
    SECURITY_MISMATCH = 20
    ESAM_FAILED = 22
    SECURITY_FAILED = 23
    TIMED_OUT = 33
    OTHER = 255


LACKING: Final = frozenset({Dar.OBJECT_UNDEFINED, Dar.CLASS_MISMATCH, Dar.NO_SUCH_OBJECT, Dar.OUT_OF_RANGE})
"""Of an object, attribute or element that a meter does not have."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A DAR in place of a value."""

    dar: int

    def __str__(self) -> str:
        try:
            return f"DAR {self.dar} ({Dar(self.dar).name.lower().replace('_', ' ')})"
        except ValueError:
            return f"DAR {self.dar}"


# requests


@dataclass(frozen=True, slots=True)
class Get:
    """Read attributes: one, or a list."""

    oads: tuple[Oad, ...]


@dataclass(frozen=True, slots=True)
class ByValue:
    """The rows in which a column has that value: selector 1."""

    column: Oad
    value: Data


@dataclass(frozen=True, slots=True)
class Between:
    """The rows in which a column is from `since` to before `until`, at that interval: selector 2."""

    column: Oad
    since: Data
    until: Data
    interval: Data


@dataclass(frozen=True, slots=True)
class Latest:
    """That many of the latest rows, 1 to 255: selector 9."""

    count: int


Rows = ByValue | Between | Latest


@dataclass(frozen=True, slots=True)
class GetRecord:
    """Read the rows of a record; no columns for all that there are."""

    oad: Oad
    rows: Rows
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class GetNext:
    """Read the block after that one."""

    block: int


Request = Get | GetRecord | GetNext


def encode_request(request: Request, number: int) -> bytes:
    """The APDU with `number` of the exchange, 0 to 63, without a time tag.

    Raises:
        FrameError: `range`.
    """
    match request:
        case Get(oads=(only,)):
            body = bytes([GET, _NORMAL, number]) + only.encode()
        case Get(oads=oads):
            body = bytes([GET, _LIST, number]) + encode_length(len(oads)) + b"".join(oad.encode() for oad in oads)
        case GetRecord(oad=oad, rows=rows, columns=columns):
            body = bytes([GET, _RECORD, number]) + oad.encode() + _encode_rows(rows) + encode_columns(columns)
        case _:
            body = bytes([GET, _NEXT, number]) + request.block.to_bytes(_BLOCK_BYTES, "big")
    return body + _NO_TIME_TAG


def _encode_rows(rows: Rows) -> bytes:
    match rows:
        case ByValue(column=column, value=value):
            return b"\1" + column.encode() + encode_data(value)
        case Between(column=column, since=since, until=until, interval=interval):
            return b"\2" + column.encode() + b"".join(encode_data(each) for each in (since, until, interval))
        case _:
            return bytes([LATEST, rows.count])


def decode_request(apdu: bytes) -> tuple[Request, int]:
    """A request and the number of its exchange; the reverse of `encode_request`, time tags are passed over.

    Raises:
        FrameError: it is none of these requests.
    """
    reader = Reader(apdu)
    service, choice = reader.byte(), reader.byte()
    if service != GET:
        raise FrameError("service", f"service {service:02X} is not read here", apdu)
    number = reader.byte() & PIID_MASK
    request: Request
    match choice:
        case 1:  # _NORMAL
            request = Get((reader.oad(),))
        case 2:  # _LIST
            request = Get(tuple(reader.oad() for _ in range(reader.count())))
        case 3:  # _RECORD
            request = GetRecord(reader.oad(), _rows(reader), reader.columns())
        case 5:  # _NEXT
            request = GetNext(int.from_bytes(reader.take(_BLOCK_BYTES), "big"))
        case _:
            raise FrameError("service", f"GET {choice} is not read here", apdu)
    _pass_time_tag(reader, apdu)
    return request, number


def _rows(reader: Reader) -> Rows:
    choice = reader.byte()
    match choice:
        case 1:
            return ByValue(reader.oad(), reader.data())
        case 2:
            return Between(reader.oad(), reader.data(), reader.data(), reader.data())
        case 9:  # LATEST
            return Latest(reader.byte())
    raise FrameError("type", f"row selection {choice} is not read here")


# replies


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attribute."""

    oad: Oad
    value: Data | Refusal


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one record: its columns, and its rows of as many values each."""

    oad: Oad
    columns: tuple[Column, ...]
    rows: tuple[tuple[Data, ...], ...] | Refusal


@dataclass(frozen=True, slots=True)
class Block:
    """That the reply comes in blocks, and which one this is."""

    number: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a GET.

    Attributes:
        number: of the exchange.
        refusal: of a whole block; there are no results then.
        followed: what the meter reports along.
        is_secured: it came with a MAC, which was not verified.
    """

    number: int
    results: tuple[Result, ...] = ()
    records: tuple[Record, ...] = ()
    block: Block | None = None
    refusal: Refusal | None = None
    followed: tuple[Result | Record, ...] = ()
    is_secured: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """The meter cannot do anything with the request; 1: it cannot read it, 2: it has no such service."""

    number: int
    kind: int

    def __str__(self) -> str:
        words = {1: "cannot read the request", 2: "has no such service"}
        return f"error {self.kind} ({words.get(self.kind, 'no reason given')})"


@dataclass(frozen=True, slots=True)
class Secured:
    """A reply that cannot be read without keys: it is encrypted (None), or the security module refuses."""

    refusal: Refusal | None


def decode_reply(apdu: bytes) -> Reply | Fault | Secured:
    """What a meter answers to a GET.

    Raises:
        FrameError: it is no such answer, or ends too early, or goes on behind its end.
    """
    return _reply(apdu, is_secured=False)


def _reply(apdu: bytes, *, is_secured: bool) -> Reply | Fault | Secured:
    reader = Reader(apdu)
    service = reader.byte()
    if service == ERROR_REPLY:
        fault = Fault(reader.byte() & PIID_MASK, reader.byte())
        _pass_time_tag(reader, apdu)
        return fault
    if service == SECURITY_REPLY and not is_secured:
        return _secured(reader, apdu)
    if service != GET_REPLY:
        raise FrameError("service", f"{service:02X} is no reply to a GET", apdu)
    choice, number = reader.byte(), reader.byte() & PIID_MASK
    results: tuple[Result, ...] = ()
    records: tuple[Record, ...] = ()
    block = refusal = None
    match choice:
        case 1:  # _NORMAL
            results = (_result(reader),)
        case 2:  # _LIST
            results = tuple(_result(reader) for _ in range(reader.count()))
        case 3:  # _RECORD
            records = (_record(reader),)
        case 4:  # _RECORD_LIST
            records = tuple(_record(reader) for _ in range(reader.count()))
        case 5:  # _NEXT
            is_last = bool(reader.byte())
            block = Block(int.from_bytes(reader.take(_BLOCK_BYTES), "big"), is_last)
            refusal, results, records = _block(reader, apdu)
        case _:
            raise FrameError("service", f"GET reply {choice} does not exist", apdu)
    followed = _followed(reader, apdu)
    _pass_time_tag(reader, apdu)
    return Reply(number, results, records, block, refusal, followed, is_secured)


def _secured(reader: Reader, apdu: bytes) -> Reply | Fault | Secured:
    choice = reader.byte()
    if choice == _ENCRYPTED:
        return Secured(None)
    if choice == _REFUSED:
        return Secured(Refusal(reader.byte()))
    if choice != _PLAIN:
        raise FrameError("service", f"secured reply of kind {choice}; 0 to 2 exist", apdu)
    return _reply(reader.octets(), is_secured=True)  # what follows is the MAC: nobody here has the key to verify it


def _block(reader: Reader, apdu: bytes) -> tuple[Refusal | None, tuple[Result, ...], tuple[Record, ...]]:
    choice = reader.byte()
    match choice:
        case 0:
            return Refusal(reader.byte()), (), ()
        case 1:
            return None, tuple(_result(reader) for _ in range(reader.count())), ()
        case 2:
            return None, (), tuple(_record(reader) for _ in range(reader.count()))
    raise FrameError("service", f"block of kind {choice}; 0 to 2 exist", apdu)


def _result(reader: Reader) -> Result:
    oad = reader.oad()
    return Result(oad, Refusal(reader.byte()) if reader.byte() == _DAR else reader.data())


def _record(reader: Reader) -> Record:
    oad, columns = reader.oad(), reader.columns()
    if reader.byte() == _DAR:
        return Record(oad, columns, Refusal(reader.byte()))
    rows = reader.count() if columns else reader.length()
    if not columns and rows:
        raise FrameError("type", f"{rows} rows without columns")
    return Record(oad, columns, tuple(tuple(reader.data() for _ in columns) for _ in range(rows)))


def _followed(reader: Reader, apdu: bytes) -> tuple[Result | Record, ...]:
    if not reader.rest or not reader.byte():
        return ()
    choice = reader.byte()
    if choice == _FOLLOW_NORMAL:
        return tuple(_result(reader) for _ in range(reader.count()))
    if choice == _FOLLOW_RECORD:
        return tuple(_record(reader) for _ in range(reader.count()))
    raise FrameError("service", f"a report of kind {choice} along with a reply; 1 and 2 exist", apdu)


def _pass_time_tag(reader: Reader, apdu: bytes) -> None:
    if reader.rest and reader.byte():
        reader.take(_TIME_TAG_BYTES)
    if reader.rest:
        raise FrameError("length", f"{reader.rest} bytes behind the end", apdu)
