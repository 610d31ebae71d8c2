"""The application `tagwharf`, and what its commands share.

Exit codes: 0 well; 1 the answer is no (not balanced, nothing found, not current, a reader does not answer);
2 wrong use; 69 the broker cannot be reached; 74 a file cannot be written; 78 the site file has faults; 130 interrupted.
"""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from readers.errors import ConfigError

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.config.models import Reader, SiteFile

EX_NO: Final = 1
EX_UNAVAILABLE: Final = 69  # sysexits.h
EX_IOERR: Final = 74
EX_CONFIG: Final = 78
EX_INTERRUPTED: Final = 130
DEFAULT_CONFIG: Final = Path("/etc/tagwharf/site.toml")
app = typer.Typer(
    name="tagwharf",
    help="RFID and IoT sensing gateway for ports and factories.",
    epilog="Exit codes: 0 well; 1 the answer is no; 2 wrong use; 69 the broker is away; 74 a file cannot be written; "
    "78 the site file has faults; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="[FILE]", envvar="TAGWHARF_CONFIG", help="The site file.", show_default=True)
]
ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar="TAGWHARF_CONFIG", help="The site file.", show_default=True)
]
DurationOption = Annotated[
    str, typer.Option("--for", metavar="TIME", help="How long: 30s, 5m, 1.5h.", show_default=True)
]


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    try:
        sys.exit(app())
    except ConfigError as error:
        typer.echo(str(error), err=True)
        sys.exit(EX_CONFIG)
    except KeyboardInterrupt:
        sys.exit(EX_INTERRUPTED)


@app.callback(invoke_without_command=True)
def _version(*, show: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if show:
        typer.echo(f"tagwharf {version('tagwharf')}")
        raise typer.Exit


def find_reader(site: SiteFile, name: str) -> Reader:
    """The reader of that name; wrong use when there is none."""
    from gateway.config.phrases import nearest

    for each in site.reader:
        if each.name == name:
            return each
    names = [each.name for each in site.reader]
    known = f"known: {', '.join(names)}" if names else "the site file has none"
    raise typer.BadParameter(f"no reader is named {name!r}{nearest(name, names)}; {known}", param_hint="READER")


def seconds_of(text: str) -> float:
    """Seconds of a duration as people write it; wrong use when it is none."""
    from gateway.durations import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
