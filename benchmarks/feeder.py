"""Batches of 50 tag reads for a broker, as a process of its own: `python -m benchmarks.feeder --port 1883`.

All are encoded before it says how many reads there are. On a line on its standard input the first `--warm-up` batches
go out, QoS 1, and it says so; on another line the rest. With `--window` it keeps to the hand-over as an edge daemon
does: never more than so many batches ahead of the rules daemon, and back to where that asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Final

import uvloop

from benchmarks.site import GATEWAY, SITE
from gateway.config.models import Mqtt
from gateway.contract.batches import ReadBatch, TagRead, encode
from gateway.contract.flow import decode_ack
from gateway.contract.topics import Topics
from gateway.mqtt import Session, session

READS: Final = 50
DEVICES: Final = 64
TAGS: Final = 200
BATCH_GAP_US: Final = 900  # 64 readers at 1,100 reads a second make 1,100 such batches
READ_GAP_US: Final = 900
ANTENNAS: Final = 4
IN_FLIGHT: Final = 200
SAME_GAP_S: Final = 1.0
NS_PER_US: Final = 1_000


def batches(count: int, now_us: int) -> list[tuple[str, bytes]]:
    """Topic and payload of so many batches, the last of them of this moment."""
    topics = Topics(SITE)
    made = []
    for sequence in range(1, count + 1):
        device = f"reader-{sequence % DEVICES + 1}"
        received_at_us = now_us - (count - sequence) * BATCH_GAP_US
        reads = [
            TagRead(
                epc=f"3074{sequence % DEVICES:04X}{(sequence // DEVICES * READS + item) % TAGS:016X}",
                antenna_port=1 + item % ANTENNAS,
                read_point=f"{device}-{1 + item % ANTENNAS}",
                seen_at_us=received_at_us - (READS - item) * READ_GAP_US,
                rssi_dbm=float(-75 + item % 40),
                first_seen_at_us=received_at_us - (READS - item) * READ_GAP_US,
            )
            for item in range(READS)
        ]
        batch = ReadBatch(
            gateway=GATEWAY,
            epoch=now_us,
            sequence=sequence,
            ordinal=(sequence - 1) * READS,
            device=device,
            received_at_us=received_at_us,
            reads=reads,
        )
        made.append((topics.device(device, "reads"), encode(batch)))
    return made


def main(arguments: list[str] | None = None) -> int:
    """Publish, and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeder", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--warm-up", type=int, default=0, help="batches that go out before the rest")
    parser.add_argument("--window", type=int, help="batches ahead of the rules daemon at most; absent: as many as may")
    options = parser.parse_args(arguments)
    made = batches(options.batches, time.time_ns() // NS_PER_US)
    _say((len(made) - options.warm_up) * READS)
    for part in (made[: options.warm_up], made):
        sys.stdin.readline()
        done = options.warm_up if part is made else 0
        _say(uvloop.run(_publish(part, done, options.port, options.window)))
    return 0


async def _publish(made: list[tuple[str, bytes]], done: int, port: int, window: int | None) -> float:
    """Send what follows the first `done`; returns the seconds until all of it was acknowledged."""
    topics = (Topics(SITE).ack(GATEWAY),) if window else ()
    async with session(Mqtt(port=port), client_id="bench-feeder", topics=topics, in_flight=IN_FLIGHT) as link:
        flow = _Flow(done, window or len(made))
        listening = asyncio.create_task(flow.listen(link))
        began_s = time.monotonic()
        while flow.next <= len(made) or (window and flow.received < len(made)):
            if flow.next > min(len(made), flow.received + flow.window):
                flow.moved.clear()
                await flow.moved.wait()
                continue
            flow.next += 1
            await link.send(*made[flow.next - 2])
        await link.drain()
        took_s = time.monotonic() - began_s
        listening.cancel()
    return took_s


class _Flow:
    """The edge's side of the hand-over, as far as a journal in memory needs it."""

    def __init__(self, done: int, window: int) -> None:
        self.window = window
        self.next = done + 1
        self.received = done
        self.moved = asyncio.Event()
        self._gap = (0, 0.0)

    async def listen(self, link: Session) -> None:
        """Take acknowledgements; go back where one asks for it, once a second for the same gap."""
        while True:
            ack = decode_ack((await link.receive()).payload)
            self.received = max(self.received, ack.received)
            now_s = time.monotonic()
            wanted = ack.resend_from
            if wanted is not None and (wanted != self._gap[0] or now_s - self._gap[1] > SAME_GAP_S):
                self._gap = (wanted, now_s)
                self.next = min(self.next, wanted)
            self.moved.set()


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
