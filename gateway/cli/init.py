"""First-run help: from a bare machine to a site file, a broker and a store."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.cli.app import EX_IOERR, EX_NO, app


@app.command()
def init(
    *,
    directory: Annotated[
        Path, typer.Option("--directory", metavar="DIR", help="Where site.toml goes.", show_default=True)
    ] = Path("/etc/tagwharf"),
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="TOML file with the answers, instead of questions.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do what is planned without asking; without --answers, take the defaults.")
    ] = False,
    search: Annotated[
        list[str] | None,
        typer.Option("--search", metavar="CIDR", help="Private network to search for readers, /22 at most; repeat it."),
    ] = None,
    no_search: Annotated[bool, typer.Option("--no-search", help="Search no network.")] = False,
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Set up the machine whose files are below DIR.")
    ] = Path("/"),
) -> None:
    """Ask a few questions, find devices, write a site file, set up Mosquitto and InfluxDB; a plan is shown first."""
    from gateway.boards.installing.http_json import ServerError
    from gateway.init.first_run import ExistsError, Options, Outcome, run
    from gateway.init.questions import Asker, QuestionError
    from gateway.init.steps import Root, StepError

    if search and no_search:
        raise typer.BadParameter("says the opposite of --search", param_hint="--no-search")
    if not root.is_dir():
        raise typer.BadParameter(f"{root} is no directory", param_hint="--root")
    if not directory.is_absolute():
        raise typer.BadParameter(f"{directory}: name it from the root, as /etc/tagwharf", param_hint="--directory")
    networks = [] if no_search else (search or None)
    options = Options(Root(root.absolute()), str(directory), answers, networks, agreed=yes)
    try:
        outcome = asyncio.run(run(options, Asker(sys.stdin.readline, typer.echo), typer.echo))
    except (ExistsError, QuestionError, ServerError) as error:
        _leave(str(error), EX_NO)
    except StepError as error:
        _leave(f"{error}\nwhat was done before stays, and this may be run again", EX_IOERR)
    if outcome is Outcome.DECLINED:
        _leave("nothing was done", EX_NO)


def _leave(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)
