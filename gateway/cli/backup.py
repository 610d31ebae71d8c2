"""Commands for the day when a machine is lost: make a backup, look into one, restore it."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_IOERR, EX_NO, ConfigOption, app, seconds_of

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.backup.manifest import Manifest
    from gateway.backup.restoring import Restored


@app.command()
def backup(
    to: Annotated[Path, typer.Option("--to", metavar="FILE|DIR", help="The archive, FILE.tar.gz, or where to put it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=1, help="Delete older archives of this gateway beyond N.")
    ] = None,
    within: Annotated[str, typer.Option("--within", metavar="TIME", help="Give up when it takes longer.")] = "6h",
    work: Annotated[
        Path | None, typer.Option("--work", metavar="DIR", help="Where a copy of the largest database has room.")
    ] = None,
    *,
    mounted: Annotated[
        bool, typer.Option("--mounted", help="Refuse a directory on which no share or disk is mounted.")
    ] = False,
) -> None:
    """Copy configuration, lists, journals and the memory of the rules into one file, while everything runs."""
    from gateway.backup.making import BackupError, Order, make_backup
    from gateway.config.load import load_site

    site = load_site(config)
    order = Order(config, to, keep=keep, within_s=seconds_of(within), mounted=mounted, work=work)
    try:
        made = make_backup(order, site)
    except BackupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_IOERR) from None
    typer.echo(f"{made.archive}: {len(made.manifest.members)} files, {made.size_bytes} bytes")
    for path in made.deleted:
        typer.echo(f"deleted: {path}")
    _tell_left_out(made.manifest)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `tagwharf backup` made.")],
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="Put everything below it, under its old path.", show_default=True)
    ] = Path("/"),
    *,
    only_list: Annotated[bool, typer.Option("--list", help="Tell what is in it; change nothing.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check every byte of it; change nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Set aside what is there.")] = False,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="As root, write outside /etc/tagwharf and /var/lib/tagwharf*, too.")
    ] = False,
) -> None:
    """Put a backup in its place, and tell what is left to do. The daemons must not run."""
    from gateway.backup.notice import time_of
    from gateway.backup.reading import ArchiveError, checked
    from gateway.backup.restoring import RestoreError, Wish
    from gateway.backup.restoring import restore as put_back

    try:
        if only_list or verify:
            manifest = checked(file)
            if only_list:
                typer.echo("\n".join(f"{each.size_bytes:>14} {each.kind:<8} {each.path}" for each in manifest.members))
                _tell_left_out(manifest)
            typer.echo(
                f"{file}: whole; site {manifest.site}, gateway {manifest.gateway}, made {time_of(manifest.made_at_us)} "
                f"on {manifest.host} by version {manifest.product}; {len(manifest.members)} files"
            )
            return
        done = put_back(Wish(file, root, replace, elsewhere))
    except (ArchiveError, RestoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_NO) from None
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(EX_IOERR) from None
    _tell_restored(done)


def _tell_left_out(manifest: Manifest) -> None:
    for each in manifest.left_out:
        typer.echo(f"not in it: {each.path}: {each.why}")
    for name in manifest.credentials:
        typer.echo(f"not in it: credential {name}")


def _tell_restored(done: Restored) -> None:
    from gateway.backup.notice import time_of

    manifest = done.manifest
    typer.echo(f"site {manifest.site} as of {time_of(manifest.made_at_us)}; site file {done.site_file}")
    for journal in done.journals:
        typer.echo(
            f"gateway {journal.gateway}: batches 1 to {journal.last}, judged to {journal.watermark}; it goes on with "
            f"{journal.next_sequence}; what the lost machine heard after {journal.last} is gone"
        )
    for path in done.aside:
        typer.echo(f"set aside: {path}")
    for line in done.remarks:
        typer.echo(line)
    typer.echo("now, in this order:")
    for name in manifest.credentials:
        typer.echo(f"  put back the credential {name}: /etc/credstore/tagwharf.{name}")
    for left in manifest.left_out:
        typer.echo(f"  see to {left.path}: {left.why}")
    typer.echo(f"  tagwharf check {done.site_file}")
    typer.echo("  make sure that the lost machine stays switched off")
    typer.echo("  systemctl start tagwharf-rules tagwharf-edge tagwharf-console")
    typer.echo("  tagwharf ledger")
