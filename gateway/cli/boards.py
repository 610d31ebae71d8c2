"""Commands on the boards of Grafana: write them as files, or install them through its HTTP API."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn, TypeVar

import typer

from gateway.cli.app import DEFAULT_CONFIG, EX_IOERR, EX_NO, EX_UNAVAILABLE, ConfigOption, app
from gateway.cli.person import SHARED_BITS

if TYPE_CHECKING:  # costs half a second that only some commands need
    from gateway.boards.installing.provisioning import Store
    from gateway.config.models import InfluxSink

T = TypeVar("T")

EX_REFUSED: Final = 77  # sysexits.h, permission denied
CONSOLE: Final = "http://127.0.0.1:8680"

boards = typer.Typer(
    name="boards",
    help="The boards and alert rules of Grafana. Exit codes: 0 done; 1 the server did not take something; 69 it does "
    "not answer; 74 a file cannot be written; 77 it does not allow it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(boards)

LanguageOption = Annotated[
    Literal["en", "zh", "both"],
    typer.Option(
        "--language", metavar="en|zh|both", help="Which boards; alert rules speak the first.", show_default=True
    ),
]
SinkOption = Annotated[
    str, typer.Option("--sink", metavar="NAME", help="The [[sink]] with the store, where there are several.")
]
ConsoleOption = Annotated[
    str,
    typer.Option("--console", metavar="URL", help="Where links to the console lead.", show_default=True),
]
TokenCredentialOption = Annotated[
    str, typer.Option("--token-credential", metavar="NAME", help="The systemd credential that holds the token.")
]
TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="File with the token, which nobody else may read.")
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", help="PEM of the authority; the system's authorities when absent."),
]
InsecureOption = Annotated[
    bool,
    typer.Option("--insecure", help="Allow http:// to other machines: everybody on the way can read the token."),
]


@boards.command()
def export(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made when it is not there.")],
    language: LanguageOption = "both",
    sink: SinkOption = "",
    console: ConsoleOption = CONSOLE,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write boards and provisioning as files that Grafana reads when it starts; no secret is in them."""
    from gateway.boards.installing.export import export as write
    from gateway.boards.installing.provisioning import PASSWORD_VARIABLE, TOKEN_VARIABLE, Language

    store = _store(config, sink)
    try:
        written = write(directory, store, Language(language), console)
    except OSError as error:
        _leave(f"cannot be written: {error}", EX_IOERR)
    typer.echo(f"{len(written)} files written below {directory}")
    if store.login != "none":
        variable = PASSWORD_VARIABLE if store.login == "password" else TOKEN_VARIABLE
        typer.echo(f"Grafana reads the secret of the store from the environment: set {variable[1:]}")


@boards.command()
def install(
    *,
    grafana: Annotated[str, typer.Option("--grafana", metavar="URL", help="Where Grafana is: https://HOST:3000.")],
    token_credential: TokenCredentialOption = "",
    token_file: TokenFileOption = None,
    language: LanguageOption = "both",
    sink: SinkOption = "",
    store_credential: Annotated[
        str,
        typer.Option(
            "--store-credential",
            metavar="NAME",
            help="The systemd credential with the secret by which Grafana reads the store; absent: it keeps its own.",
        ),
    ] = "",
    store_secret_file: Annotated[
        Path | None,
        typer.Option("--store-secret-file", metavar="FILE", help="The same from a file that nobody else may read."),
    ] = None,
    console: ConsoleOption = CONSOLE,
    alerts: Annotated[
        Literal["yes", "no"],
        typer.Option("--alerts", metavar="yes|no", help="Whether the alert rules are installed.", show_default=True),
    ] = "yes",
    ca_file: CaOption = None,
    insecure: InsecureOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring data source, boards and alert rules into a running Grafana; may be repeated."""
    from gateway.boards.installing.http_json import JsonServer
    from gateway.boards.installing.install import Plan
    from gateway.boards.installing.install import install as bring
    from gateway.boards.installing.provisioning import Language

    token = _secret(token_credential, token_file, "--token-credential", "--token-file")
    if token is None:
        text = "Grafana wants a token of a service account with the role Admin"
        raise typer.BadParameter(text, param_hint="--token-credential or --token-file")
    secret = _secret(store_credential, store_secret_file, "--store-credential", "--store-secret-file")
    plan = Plan(_store(config, sink), secret, Language(language), console, alerts == "yes")
    server = JsonServer("Grafana", grafana, f"Bearer {token}", ca_file=ca_file, insecure=insecure)

    async def run() -> None:
        async with server:
            await bring(server, plan, typer.echo)

    _carried_out(run())


@boards.command()
def mapping(
    *,
    token_credential: TokenCredentialOption = "",
    token_file: TokenFileOption = None,
    sink: SinkOption = "",
    ca_file: CaOption = None,
    insecure: InsecureOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let InfluxQL find the bucket of InfluxDB 2, so that boards can ask it; 1 and 3 need nothing."""
    from gateway.boards.installing.http_json import JsonServer
    from gateway.boards.installing.mapping import map_bucket

    token = _secret(token_credential, token_file, "--token-credential", "--token-file")
    settings = _sink(config, sink)
    authorization = None if token is None else f"Token {token}"
    server = JsonServer("InfluxDB", settings.url, authorization, ca_file=ca_file, insecure=insecure)

    async def run() -> str:
        async with server:
            return await map_bucket(server, settings)

    typer.echo(_carried_out(run()))


def _carried_out(work: Coroutine[None, None, T]) -> T:
    from gateway.boards.installing.http_json import NotAllowedError, ServerError, UnreachableError

    try:
        return asyncio.run(work)
    except UnreachableError as error:
        _leave(str(error), EX_UNAVAILABLE)
    except NotAllowedError as error:
        _leave(str(error), EX_REFUSED)
    except ServerError as error:
        _leave(str(error), EX_NO)


def _sink(config: Path, name: str) -> InfluxSink:
    """The store of the site file; wrong use when it is not clear which."""
    from gateway.config.load import load_site
    from gateway.config.models import InfluxSink
    from gateway.config.phrases import nearest

    sinks = {sink.name: sink for sink in load_site(config).sink if isinstance(sink, InfluxSink)}
    known = f"known: {', '.join(sinks)}" if sinks else f'{config} has no [[sink]] with kind = "influxdb"'
    if name and name not in sinks:
        text = f"no store is named {name!r}{nearest(name, list(sinks))}; {known}"
        raise typer.BadParameter(text, param_hint="--sink")
    if not name and len(sinks) != 1:
        raise typer.BadParameter(f"say from which store the boards read; {known}", param_hint="--sink")
    return sinks[name] if name else next(iter(sinks.values()))


def _store(config: Path, name: str) -> Store:
    from gateway.boards.installing.provisioning import Store

    return Store.of_sink(_sink(config, name))


def _secret(name: str, file: Path | None, by_name: str, by_file: str) -> str | None:
    """A secret from a systemd credential or a file; wrong use when both are named or others may read the file.

    Raises:
        ConfigError: there is no such credential.
    """
    from gateway.credentials import credential

    if name and file is not None:
        raise typer.BadParameter("name one of them", param_hint=f"{by_name} or {by_file}")
    if name:
        return _printable(credential(name), by_name)
    if file is None:
        return None
    try:
        mode, text = file.stat().st_mode, file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: cannot be read: {error}", param_hint=by_file) from None
    if mode & SHARED_BITS:
        raise typer.BadParameter(f"{file}: others may read it: chmod 600 {file}", param_hint=by_file)
    return _printable(text, by_file)


def _printable(secret: str, option: str) -> str:
    """A secret as it may stand in a header."""
    if not secret or not secret.isascii() or not secret.isprintable():
        raise typer.BadParameter("is empty, or is no token or password: printable ASCII", param_hint=option)
    return secret


def _leave(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)
