"""Work on the console from the command line: the hash of a password."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Final

import typer

from gateway.cli.app import EX_NO, app

READ_MOST: Final = 4096

console = typer.Typer(name="console", help="Work on the web console.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(console)

ADVICE: Final = """\
Put it where the unit finds it, and restart the console:

    install -m 600 /dev/stdin /etc/credstore/tagwharf.console-NAME <<'END'
    {made}
    END
    LoadCredential=console-NAME:tagwharf.console-NAME    in: systemctl edit tagwharf-console
    password_credential = "console-NAME"                 in: [[console.user]] of the site file"""


@console.callback()
def _group() -> None:
    """Keep `password` a command of its own name; with one command alone there would be none."""


@console.command()
def password(
    *,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read it from standard input, one line, asking nobody.")
    ] = False,
) -> None:
    """Make the hash of a password for a [[console.user]]. It asks twice and shows nothing of it."""
    from gateway.console.access.passwords import make_hash

    try:
        made = make_hash(_from_stdin() if stdin else _asked())
    except ValueError as error:
        typer.echo(f"password: {error}", err=True)
        raise typer.Exit(EX_NO) from None
    typer.echo(made)
    if sys.stdout.isatty():
        typer.echo(ADVICE.format(made=made), err=True)


def _asked() -> str:
    first = getpass.getpass("new password: ")
    if getpass.getpass("the same again: ") != first:
        raise ValueError("the two are not the same; nothing was made")
    return first


def _from_stdin() -> str:
    raw = sys.stdin.buffer.readline(READ_MOST)
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
