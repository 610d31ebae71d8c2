"""Commands that run something: a daemon, the simulator, the whole product on simulated devices."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from gateway.cli.app import DEFAULT_CONFIG, ConfigOption, app, seconds_of

DAEMONS: Final = {
    "edge": ("gateway.edge", "--config"),
    "rules": ("rules", "run", "--config"),
    "console": ("gateway.console", "--config"),
}


@app.command()
def run(
    daemon: Annotated[str, typer.Argument(metavar="edge|rules|console", help="Which daemon.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run one daemon in this process until it is stopped."""
    if daemon not in DAEMONS:
        raise typer.BadParameter(f"{daemon!r} is no daemon; choose edge, rules or console", param_hint="DAEMON")
    module, *arguments = DAEMONS[daemon]
    _become(module, *arguments, str(config))


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Play a scenario with simulated devices: `tagwharf simulate SCENARIO ...`, `simulate --help` for its options."""
    _become("simulator", *context.args)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def registry(context: typer.Context) -> None:
    """Make a registry of a list of things: `tagwharf registry import CSV --to FILE [--config SITE]`."""
    _become("rules", "registry", *context.args)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def rules(context: typer.Context) -> None:
    """Work on rules: `tagwharf rules check | list | test | trace | replay | simulate ...`; each has `--help`."""
    _become("rules", *context.args)


@app.command()
def demo(
    scenario: Annotated[str, typer.Argument(help="What the simulator plays.")] = "showcase",
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End after this time; run until Ctrl-C when absent.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JSON report at the end.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the simulator; the same seed plays the same world.")] = 7,
    broker: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A real broker.")] = None,
    influx: Annotated[
        str | None, typer.Option(metavar="URL", help="A real InfluxDB or VictoriaMetrics; token in INFLUX_TOKEN.")
    ] = None,
    influx_bucket: Annotated[str, typer.Option(metavar="NAME", help="Bucket of --influx.")] = "tagwharf",
    influx_org: Annotated[str, typer.Option(metavar="NAME", help="Organisation of --influx.")] = "tagwharf",
    console_port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of the web console.")] = 8680,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep logs, journals and truth here.")] = None,
) -> None:
    """Run the whole product on simulated devices, on this machine alone."""
    from gateway.demo.run import DemoSettings
    from gateway.demo.run import run as run_demo

    settings = DemoSettings(
        scenario=scenario,
        duration_s=None if duration is None else seconds_of(duration),
        report=report,
        seed=seed,
        broker=broker,
        influx=influx,
        influx_bucket=influx_bucket,
        influx_org=influx_org,
        console_port=console_port,
        keep=keep,
    )
    raise typer.Exit(run_demo(settings))


def _become(module: str, *arguments: str) -> NoReturn:
    """Replace this process, so that signals, standard streams and systemd's main process id stay with it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606  # no shell is wanted
