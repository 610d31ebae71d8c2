"""`tagwharf support`: one file that tells others what is wrong, and no secret."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_IOERR, ConfigOption, app, seconds_of


@app.command()
def support(
    config: ConfigOption = DEFAULT_CONFIG,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE|DIR", help="The bundle, or where to put it.", show_default=True)
    ] = Path(),
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back the log goes.")] = "24h",
) -> None:
    """Collect what others need to help: versions, site file, ledger, log, clock; without secrets. Run it as root."""
    from gateway.support_bundle.bundle import SupportError, make_bundle
    from gateway.support_bundle.parts import Asked

    try:
        made = make_bundle(Asked(config, seconds_of(since)), to)
    except SupportError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_IOERR) from None
    typer.echo("\n".join(made.lines))
    typer.echo(f"{made.path}: read it before you send it: tar xzf {made.path}; its MANIFEST.txt says what is in it")
