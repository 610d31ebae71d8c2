"""Work on the broker: its access list."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.app import DEFAULT_CONFIG, app

broker = typer.Typer(name="broker", help="Work on the broker.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(broker)


@broker.callback()
def _group() -> None:
    """Keep `acl` a command of its own name; with one command alone there would be none."""


@broker.command()
def acl(
    *,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="TAGWHARF_CONFIG",
            help="A site file; once for each gateway. The first is that of the rules daemon and the console. "
            f"[default: {DEFAULT_CONFIG}]",
        ),
    ] = None,
) -> None:
    """Print the access list of Mosquitto for the daemons of a site: each may do what it needs, and nothing else."""
    from gateway.broker_acl import access_list
    from gateway.config.load import load_site

    typer.echo(access_list([load_site(path) for path in config or [DEFAULT_CONFIG]]), nl=False)
