"""Simulated LLRP readers as a process of their own: `python -m benchmarks.farm --readers 64`.

It says the ports as one line of JSON when all listen. Lines on its standard input tell it what to do:

    rate 70400    from now on tags are read 70,400 times a second, over all readers together; 0: the field is empty
    count         say as one line of JSON how many reads were made, sent and dropped

It ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from simulator.device import Sighting
from simulator.llrp.identities import zebra_fx9600
from simulator.llrp.load import LoadRadio
from simulator.llrp.reader import SimulatedReader
from simulator.llrp.reports import Content, Source
from simulator.server import DeviceServer

EPC_HEAD: Final = b"\x30\x74"
PROBE_HEAD: Final = b"\xe2\x80"
PROBE_EVERY_US: Final = 50_000
PROBE_DBM: Final = -50.0


class Field:
    """What is in front of one reader: nothing, or tags that are read at a rate that may change.

    Implements `simulator.llrp.inventory.BulkRadio`.
    """

    def __init__(self, number: int, tags: int) -> None:
        self._prefix = EPC_HEAD + number.to_bytes(2, "big")
        self._tags = tags
        self._load: LoadRadio | None = None

    def set_rate(self, reads_per_s: float) -> None:
        """Let the tags be read so often; 0 takes them away."""
        self._load = LoadRadio(reads_per_s, tags=self._tags, prefix=self._prefix) if reads_per_s else None

    def records(
        self, content: Content, source: Source, every_n: int, antenna_port: int, start_us: int, until_us: int
    ) -> list[tuple[bytes, int]]:
        """See `simulator.llrp.inventory.BulkRadio`."""
        if self._load is None:
            return []
        return self._load.records(content, source, every_n, antenna_port, start_us, until_us)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        return [] if self._load is None else self._load.heard(antenna_port, start_us, until_us)


class Probe:
    """A tag that nobody has seen before, every 50 ms; read once."""

    def __init__(self) -> None:
        self._present = False

    def set_rate(self, reads_per_s: float) -> None:
        """Let the tags come; 0 ends it."""
        self._present = reads_per_s > 0

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        if not self._present:
            return []
        return [
            Sighting(number * PROBE_EVERY_US, antenna_port, PROBE_HEAD + number.to_bytes(10, "big"), PROBE_DBM)
            for number in range(-(-start_us // PROBE_EVERY_US), -(-until_us // PROBE_EVERY_US))
        ]


def main(arguments: list[str] | None = None) -> int:
    """Play until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.farm", description=__doc__)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--tags", type=int, default=200, help="in front of each reader")
    parser.add_argument("--probe", action="store_true", help="one more reader that hears a new tag every 50 ms")
    options = parser.parse_args(arguments)
    fields: list[Field | Probe] = [Field(number, options.tags) for number in range(options.readers)]
    if options.probe:
        fields.append(Probe())
    uvloop.run(_play(fields, options.readers))
    return 0


async def _play(fields: list[Field | Probe], share: int) -> None:
    readers = [SimulatedReader(zebra_fx9600(), field) for field in fields]
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(DeviceServer(reader.serve)) for reader in readers]
        _say([server.port for server in servers])
        while line := (await commands.readline()).decode().split():
            if line[0] == "rate":
                for field in fields:
                    field.set_rate(float(line[1]) / share)
            else:
                _say(
                    {
                        "made": sum(reader.inventory.reads_heard for reader in readers),
                        "sent": sum(reader.outgoing.reads_sent for reader in readers),
                        "dropped": sum(reader.outgoing.dropped.total() for reader in readers),
                    }
                )


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
