"""Commands on single tags: what a number means, what a tag holds, and giving a tag another EPC."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_IOERR, EX_NO, ConfigOption, app, find_reader
from readers.access import AccessError, Bank
from readers.errors import LinkError, ReaderError

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import Reader
    from readers.tagdata.encode import EncodedTag

EX_UNKNOWN: Final = 75  # sysexits.h, temporary failure: look again
JOURNAL: Final = "tag-writes.jsonl"
PC_LOW_BITS: Final = 0x07FF
MOST_PASSWORD: Final = 0xFFFFFFFF
_BUSY: Final = "stop the edge daemon, or whoever else holds this reader, and try again"

tag = typer.Typer(
    name="tag",
    help="Decode, read and write tags.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(tag)

ReaderArgument = Annotated[str, typer.Argument(help="Name of the reader.")]
EpcOption = Annotated[
    str | None, typer.Option("--epc", metavar="HEX", help="The tag to work on; the only one there when absent.")
]
PasswordOption = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="File that holds the access password, 8 hex digits."),
]
SchemeOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Scheme to encode in, `sgtin-96`, `sscc+` ...; the shortest that fits."),
]
FilterOption = Annotated[
    int | None, typer.Option("--filter", metavar="N", min=0, max=7, help="Filter value: what kind of unit it is on.")
]
PrefixOption = Annotated[
    int | None,
    typer.Option(
        "--prefix-digits", metavar="N", min=6, max=12, help="Digits of the company prefix, for TDS 1 schemes."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@tag.command()
def decode(
    *,
    epc: Annotated[str, typer.Argument(metavar="HEX", help="The EPC, without CRC and PC word.")],
    pc: Annotated[str | None, typer.Option(metavar="HEX", help="The PC word, 4 digits; it tells GS1 from ISO.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what an EPC says: scheme, URI, Digital Link, AFI, container number."""
    from readers.tagdata.tag import decode_tag

    pc_bits = None if pc is None else int.from_bytes(_hex(pc, "--pc", 2), "big")
    _show(decode_tag(_hex(epc, "HEX"), pc_bits).as_json(), as_json=as_json)


@tag.command()
def encode(
    *,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="EPC URI (id, tag, raw, bic), GS1 Digital Link, or element string.")
    ],
    scheme: SchemeOption = None,
    filter_value: FilterOption = None,
    prefix_digits: PrefixOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what to write to a tag so that it says TEXT: PC word and EPC, and what a reader will make of it."""
    from readers.tagdata.tag import decode_tag

    encoded = _encoded(text, "TEXT", scheme, filter_value, prefix_digits)
    _show(decode_tag(encoded.epc, encoded.pc_bits).as_json(), as_json=as_json)


@tag.command()
def read(
    *,
    reader: ReaderArgument,
    epc: EpcOption = None,
    bank: Annotated[
        str | None, typer.Option(metavar="epc|tid|user|reserved", help="Memory to read; EPC and TID when absent.")
    ] = None,
    word: Annotated[int, typer.Option(metavar="N", min=0, help="First 16-bit word of --bank.")] = 0,
    words: Annotated[int, typer.Option(metavar="N", min=1, max=255, help="Number of words of --bank.")] = 4,
    password: PasswordOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read the memory of the tags before a reader that nothing else holds."""
    from gateway.config.load import load_site

    wanted = None
    if bank is not None:
        if bank.upper() not in Bank.__members__:
            raise typer.BadParameter(f"{bank!r} is no bank; choose epc, tid, user or reserved", param_hint="--bank")
        wanted = (Bank[bank.upper()], word, words)
    only = None if epc is None else _hex(epc, "--epc")
    chosen = find_reader(load_site(config), reader)
    found = _on_reader(chosen, _read(chosen, only, wanted, _password(password)))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    for table in found if not as_json else ():
        typer.echo("\n".join(_lines(table)))
    if not found:
        typer.echo("no tag is here; hold one before the antenna", err=True)
    if not found or any(entry.get("trouble") for table in found for entry in table["memory"]):
        raise typer.Exit(EX_NO)


@tag.command()
def write(
    *,
    reader: ReaderArgument,
    new_hex: Annotated[str | None, typer.Option("--to-hex", metavar="HEX", help="The new EPC.")] = None,
    new_text: Annotated[
        str | None, typer.Option("--to", metavar="TEXT", help="The new EPC as `tag encode` takes it.")
    ] = None,
    scheme: SchemeOption = None,
    filter_value: FilterOption = None,
    prefix_digits: PrefixOption = None,
    epc: EpcOption = None,
    password: PasswordOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give one tag another EPC, read it back, and keep a record of it in the state directory."""
    from dataclasses import asdict

    from gateway.commissioning.tag_work import Result
    from gateway.config.load import load_site, state_directory

    if (new_hex is None) == (new_text is None):
        raise typer.BadParameter("say either --to or --to-hex", param_hint="--to")
    pc_low_bits = None
    if new_text is not None:
        encoded = _encoded(new_text, "--to", scheme, filter_value, prefix_digits)
        new_epc, pc_low_bits = encoded.epc, encoded.pc_bits & PC_LOW_BITS
    else:
        assert new_hex is not None
        new_epc = _hex(new_hex, "--to-hex")
    old_epc = None if epc is None else _hex(epc, "--epc")
    site = load_site(config)
    chosen = find_reader(site, reader)
    which = "the only tag there" if old_epc is None else f"tag {old_epc.hex().upper()}"
    if not yes:
        typer.confirm(f"{chosen.name}: write {new_epc.hex().upper()} to {which}?", abort=True, err=True)
    journal = state_directory(site) / JOURNAL
    written = _on_reader(chosen, _write(chosen, old_epc, new_epc, pc_low_bits, journal, _password(password)))
    if as_json:
        typer.echo(json.dumps(asdict(written), indent=2))
    else:
        typer.echo(f"{written.result}: {written.old_epc} -> {written.new_epc}, PC {written.pc}: {written.detail}")
        typer.echo(f"TID {written.tid or 'not readable'}; recorded in {journal}")
    if written.result is not Result.VERIFIED:
        raise typer.Exit(EX_UNKNOWN if written.result is Result.UNKNOWN else EX_NO)


async def _read(
    reader: Reader, only: bytes | None, wanted: tuple[Bank, int, int] | None, password: int
) -> list[dict[str, Any]]:
    from gateway.commissioning.station import opened
    from gateway.commissioning.tag_work import INVENTORY_S, choose, read_memory, read_tid
    from readers.tagdata.tag import decode_tag

    found = []
    async with opened(reader, _warn) as station:
        tags = [await choose(station, only)] if only is not None else await station.inventory(INVENTORY_S)
        for seen in tags:
            tid = await read_tid(station, seen.epc)
            memory = [] if wanted is None else await read_memory(station, seen.epc, [wanted], password)
            found.append(
                {
                    **decode_tag(seen.epc, seen.pc_bits).as_json(),
                    "antenna_port": seen.antenna_port,
                    "rssi_dbm": seen.rssi_dbm,
                    "tid": None if tid is None else tid.hex().upper(),
                    "memory": [
                        {
                            "bank": each.bank.name.lower(),
                            "word": each.word,
                            "data": each.data,
                            **({"trouble": each.trouble} if each.trouble else {}),
                        }
                        for each in memory
                    ],
                }
            )
    return found


async def _write(
    reader: Reader, old_epc: bytes | None, new_epc: bytes, pc_low_bits: int | None, journal: Path, password: int
) -> Any:
    from gateway.commissioning.station import opened
    from gateway.commissioning.tag_work import WriteJournal, write_epc

    async with opened(reader, _warn) as station:
        return await write_epc(
            station,
            old_epc,
            new_epc,
            journal=WriteJournal(journal),
            now_us=lambda: time.time_ns() // 1_000,
            reader=reader.name,
            pc_low_bits=pc_low_bits,
            password=password,
        )


def _on_reader(reader: Reader, work: Any) -> Any:
    """Run it, and tell a person what went wrong."""
    from readers.errors import ConfigError, ReaderBusyError

    try:
        return asyncio.run(work)
    except ConfigError:
        raise
    except AccessError as error:
        typer.echo(f"{reader.name}: {error.fault}: {error}; nothing was written", err=True)
    except LinkError as error:
        advice = f"; {_BUSY}" if isinstance(error, ReaderBusyError) else ""
        typer.echo(f"{reader.name}: {error}{advice}", err=True)
    except ReaderError as error:
        typer.echo(f"{reader.name}: {error}", err=True)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to-hex") from None
    except OSError as error:
        typer.echo(f"{error.filename}: cannot be written: {error.strerror}; nothing was written to a tag", err=True)
        raise typer.Exit(EX_IOERR) from None
    raise typer.Exit(EX_NO)


def _warn(text: str) -> None:
    typer.echo(f"warning: {text}", err=True)


def _show(table: dict[str, object], *, as_json: bool) -> None:
    typer.echo(json.dumps(table, indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(table)))


def _encoded(
    text: str, option: str, scheme: str | None, filter_value: int | None, prefix_digits: int | None
) -> EncodedTag:
    from readers.tagdata.encode import encode_tag

    try:
        return encode_tag(text, scheme=scheme, filter_value=filter_value, prefix_digits=prefix_digits)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _hex(text: str, option: str, size: int | None = None) -> bytes:
    digits = text.replace(" ", "").replace("-", "")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no hex: digits 0-9 and A-F, two for each byte", param_hint=option
        ) from None
    if size is not None and len(data) != size:
        raise typer.BadParameter(f"{text!r} has {len(data)} bytes; it must have {size}", param_hint=option)
    return data


def _password(file: Path | None) -> int:
    if file is None:
        return 0
    try:
        text = file.read_text(encoding="ascii").strip()
        password = int(text, 16)
    except (OSError, ValueError):
        raise typer.BadParameter(
            f"{file}: cannot be read, or does not hold 8 hex digits", param_hint="--password-file"
        ) from None
    if not 0 <= password <= MOST_PASSWORD:
        raise typer.BadParameter(f"{file}: an access password has 32 bits, 8 hex digits", param_hint="--password-file")
    return password


def _lines(table: dict[str, Any], indent: str = "") -> list[str]:
    """A table as aligned lines; what is empty is left out."""
    lines = []
    for name, value in table.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                shown = " ".join(f"{key} {each}" for key, each in entry.items() if each is not None)
                lines.append(f"{indent}{name:<16} {shown}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{indent}{name:<16} {shown}")
    return lines
