"""`python -m simulator SCENARIO --out DIR`: play a scenario on loopback, for a gateway to serve.

Writes `assets.csv`, the tables of its rules, `truth.json` and, last, `site.toml` into the directory: when that is
there, every device listens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from simulator import scenario, scenario_file
from simulator.devices import devices
from simulator.publisher import Publisher
from simulator.server import DeviceServer

FOR_EVER_S: Final = 86_400.0
_US_PER_S: Final = 1_000_000
_NS_PER_US: Final = 1_000
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PLACE: Final = re.compile(r"\$\{([A-Za-z0-9_-]+)\}")


def main(arguments: list[str] | None = None) -> int:
    """Play until the time is over, or until stopped."""
    options = _options(arguments)
    try:
        file = scenario_file.load(options.scenario)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    asyncio.run(_play(options, file))
    return 0


def seconds(text: str) -> float:
    """`30s`, `5m`, `2h` or plain seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a time such as 30s, 5m or 2h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def fill(template: str, values: dict[str, str]) -> str:
    """Put values in place of `${NAME}`.

    Raises:
        ValueError: a name has no value.
    """
    missing = sorted(set(_PLACE.findall(template)) - set(values))
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}: give each as --fill NAME=VALUE")
    return _PLACE.sub(lambda match: values[match[1]], template)


async def _play(options: argparse.Namespace, file: scenario_file.ScenarioFile) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    start_us = time.time_ns() // _NS_PER_US + round(options.start_in * _US_PER_S)
    world = scenario.build(file, options.seed, start_us, options.duration or FOR_EVER_S)
    async with AsyncExitStack() as stack:
        values = {"STATE_DIR": str(options.out / "state"), "MQTT_HOST": "127.0.0.1", "MQTT_PORT": "1883"}
        values |= dict(pair.split("=", 1) for pair in options.fill)
        addresses: dict[str, str] = {}
        for name, serve in devices(world).items():
            if (topic := file.topics.get(name)) is not None:
                broker, port = values["MQTT_HOST"], values["MQTT_PORT"]
                await stack.enter_async_context(Publisher(serve, broker, int(port), topic))
                addresses[name] = f"{broker}:{port}/{topic}"
            else:
                server = await stack.enter_async_context(DeviceServer(serve, host=options.host))
                addresses[name] = f"{options.host}:{server.port}"
        values = addresses | values
        (options.out / "assets.csv").write_text(world.assets_csv())
        for table, text in world.tables().items():
            (options.out / table).write_text(text)
        (options.out / "truth.json").write_text(json.dumps(world.truth(), indent=1) + "\n")
        text = fill(scenario_file.site_template(options.scenario), values)
        unfinished = options.out / "site.toml.part"
        unfinished.write_text(text)
        unfinished.replace(options.out / "site.toml")
        print(f"playing {options.scenario}: {file.summary}", flush=True)
        for name, address in addresses.items():
            print(f"  {name:<12} {address}", flush=True)
        print(f"site file: {options.out / 'site.toml'}", flush=True)
        await stop.wait()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tagwharf simulate", description="Play a scenario on loopback.")
    parser.add_argument("scenario", help=f"one of: {', '.join(scenario_file.names())}")
    parser.add_argument("--out", type=Path, default=Path("simulation"), help="where site.toml and truth.json go")
    parser.add_argument("--seed", type=int, default=7, help="decides everything that happens")
    parser.add_argument("--for", dest="duration", type=seconds, help="traffic ends after this time; devices stay")
    parser.add_argument("--start-in", type=seconds, default=3.0, help="traffic begins after this time")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--fill", action="append", default=[], metavar="NAME=VALUE", help="fill ${NAME} in the site file"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
