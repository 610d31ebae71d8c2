"""The host of a Digital Link in the bits of a `++` tag.

    E LLLLLL data         E 0 URN Code 40, 1 seven bits with short forms;  L how many characters or units of seven bits

Frequent beginnings and endings are one unit (`id.`, `.com`) or two: a first unit from 0 to 3 chooses a list of endings,
the second counts within it.

Source: GS1 TDS 2.3, section 14.5.16, tables 14-11 to 14-15. Two misprints are put right: the table of endings such as
`.com.au` gives `.org.cn` and `.net.cn` the first unit of another table, and the caption of the last table gives that of
the one before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from readers.tagdata.ai_values import code_40, write_code_40
from readers.tagdata.bits import BitReader, BitWriter, TagDataError
from readers.tagdata.characters import SET_82

_SHORT: Final = {
    0b0011110: "qr.",
    0b0011111: "www.",
    0b0100000: "id.",
    0b1011011: ".com",
    0b1011100: ".org",
    0b1011101: ".net",
    0b1011110: ".int",
    0b1100000: ".edu",
    0b1111011: ".gov",
    0b1111100: ".mil",
    0b1111101: ".biz",
    0b1111110: ".eco",
    0b1111111: ".med",
}
_LISTS: Final = tuple(
    tuple("." + ending for ending in endings.split())
    for endings in (
        """
        ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo bq br bs bt bw by
        bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et eu fi
        fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io
        iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li
        """,
        """
        lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni
        nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si
        sk sl sm sn sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug us uy uz va vc
        ve vg vi vn vu wf ws ye yt za zm zw
        """,
        """
        com.au net.au org.au co.at com.bd co.bd com.br net.br co.nz com.ng com.pk co.in com.in co.il co.jp co.za
        co.kr com.es com.lk co.th co.tt com.tt com.tr biz.tr com.ua co.uk co.zm com.zm com.cn org.cn net.cn
        gov.cn
        """,
        "tech",
    )
)
_UNIT: Final = 7
_LENGTH_BITS: Final = 6
_MOST: Final = (1 << _LENGTH_BITS) - 1
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_LONGEST_HOST: Final = 253  # of the domain name system
_UNITS: Final[Mapping[str, tuple[int, ...]]] = (
    {chr(code): (code,) for code in range(1 << _UNIT) if code not in _SHORT and chr(code) in SET_82}
    | {ending: (first, second) for first, endings in enumerate(_LISTS) for second, ending in enumerate(endings)}
    | {text: (code,) for code, text in _SHORT.items()}
)
_TEXT: Final = {units[0]: text for text, units in _UNITS.items() if len(units) == 1}
_LONGEST: Final = max(map(len, _UNITS))


def read_host(reader: BitReader) -> str:
    """The host name; TagDataError when the bits are none."""
    seven_bit = reader.read(1)
    length = reader.read(_LENGTH_BITS)
    host = (_read_units(reader, length) if seven_bit else code_40(reader, length)).lower()
    if not _HOST.fullmatch(host):
        raise TagDataError(f"{host[:_MOST]!r} is no host name")
    return host


def write_host(writer: BitWriter, host: str) -> None:
    """Append the host name in the shorter of the two encodings.

    Raises:
        ValueError: it is no host name in lower case, or it is too long.
    """
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise ValueError(f"host {host[:_MOST]!r}: must be a host name of lower-case letters, digits, hyphens and dots")
    units = _shortest(host)
    code_40_bits = -(-len(host) // 3) * 16 if len(host) <= _MOST else None
    if len(units) <= _MOST and (code_40_bits is None or len(units) * _UNIT <= code_40_bits):
        writer.write(1, 1)
        writer.write(len(units), _LENGTH_BITS)
        for unit in units:
            writer.write(unit, _UNIT)
    elif code_40_bits is not None:
        writer.write(0, 1)
        writer.write(len(host), _LENGTH_BITS)
        write_code_40(writer, host.upper())
    else:
        raise ValueError(f"host {host[:_MOST]!r}: has {len(host)} characters, too many for a tag; choose a shorter one")


def _read_units(reader: BitReader, units: int) -> str:
    pieces = []
    while units > 0:
        units -= 1
        unit = reader.read(_UNIT)
        if unit < len(_LISTS):
            units -= 1
            ending = reader.read(_UNIT)
            if units < 0 or ending >= len(_LISTS[unit]):
                raise TagDataError("a host name has an ending that is not in the tables")
            pieces.append(_LISTS[unit][ending])
        elif unit in _TEXT:
            pieces.append(_TEXT[unit])
        else:
            raise TagDataError(f"a host name has the unit {unit:07b}, which is reserved")
    return "".join(pieces)


def _shortest(host: str) -> tuple[int, ...]:
    """The fewest units that make the name, found from its end."""
    best: list[tuple[int, ...]] = [()]
    for start in range(len(host) - 1, -1, -1):
        ways = []
        for end in range(min(len(host), start + _LONGEST), start, -1):
            units = _UNITS.get(host[start:end])
            if units is not None:
                ways.append(units + best[len(host) - end])
        best.append(min(ways, key=len))
    return best[-1]
