"""Replays vector files: conversations of a driver with a device, and single frames of a codec.

A file in `tests/vectors/rfid`, `cards`, `meters` or `machines` is for the driver of its name, or the one that it names:

    source = "where the bytes come from"
    driver = "m100"                     # only where the file has another name
    [[exchange]]
    name = "one tag"
    settings = { tx_power_dbm = 20.0 }
    steps = [
      { send = "BB 00 28 00 00 28 7E" },   # what the driver must send next; ?? stands for any byte
      { receive = "BB 01 28 00 01 00 2A 7E" },
      { pause_s = 1.5 },                   # virtual time
      { report = { kind = "tag_read", epc = "3075..." } },
      { raise = "LinkError", match = "no answer" },
    ]
    [[frame]]                           # for codecs with a case in tests/support/codecs
    name = "notification with a wrong checksum"
    hex = "BB 02 27 ..."
    reject = "checksum"                 # or the fields of the frame

A `report` step names the fields that matter, in the form of `readers.ports.recording.described`. Steps of one kind are
compared in order, and nothing more of that kind may be reported; tag reads and readings must always be named. The
counts of `rejected` are compared by reason at the end of the exchange, because slicing may divide them.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from readers import errors
from readers.ports.memory import MemoryPort, pair, run
from readers.ports.recording import described
from readers.registry import driver

VECTORS: Final = Path(__file__).parents[1] / "vectors"
KINDS: Final = ("rfid", "cards", "meters", "machines")
STEP_WITHIN_S: Final = 120.0
ALWAYS_NAMED: Final = frozenset({"tag_read", "card_read", "reading"})
_TICK_S: Final = 0.001

Slicing = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        yield data[index : index + 1]


def random_slices(seed: int) -> Slicing:
    rng = Random(seed)

    def slices(data: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(data):
            end = start + rng.randint(1, 9)
            yield data[start:end]
            start = end

    return slices


SLICINGS: Final[dict[str, Slicing]] = {
    "whole": whole,
    "byte by byte": byte_by_byte,
    "random slices 1": random_slices(1),
    "random slices 2": random_slices(2),
}


@dataclass(frozen=True)
class Vector:
    """One exchange or one frame of a file."""

    file: str
    driver: str
    source: str
    name: str
    table: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def load(kind: str) -> list[Vector]:
    """All `exchange` or `frame` tables of all files."""
    found = []
    for folder in KINDS:
        for path in sorted((VECTORS / folder).glob("*.toml")):
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            unknown = content.keys() - {"source", "driver", "exchange", "frame"}
            assert not unknown, f"{path.name}: unknown keys {sorted(unknown)}"
            assert content.get("source"), f"{path.name}: a vector file says where its bytes come from"
            name = content.get("driver", path.stem)
            found += [
                Vector(path.name, name, table.get("source", content["source"]), table["name"], table)
                for table in content.get(kind, ())
            ]
    return found


def replay(vector: Vector, slicing: Slicing) -> None:
    """Let the driver have this conversation; an AssertionError names the step that differs."""
    run(_Replay(vector, slicing).play())


def replay_table(driver_name: str, table: Mapping[str, Any], slicing: Slicing = whole) -> None:
    """The same for one exchange that is not in a file of the repository."""
    replay(Vector("", driver_name, "", table.get("name", ""), table), slicing)


class _Replay:
    def __init__(self, vector: Vector, slicing: Slicing) -> None:
        self._vector = vector
        self._slicing = slicing
        self._reports: list[dict[str, Any]] = []
        self._used: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._ours, self._device = pair("vector")
        self._sent = bytearray()

    async def play(self) -> None:
        spec = driver(self._vector.driver)
        settings = spec.settings.model_validate(self._vector.table.get("settings", {}))
        talk = asyncio.create_task(spec.make(settings).run(self._ours, self._report))
        raised = cancelled = False
        for number, step in enumerate(self._vector.table["steps"], start=1):
            where = f"{self._vector}: step {number}: {step}"
            match step:
                case {"send": str(text)}:
                    await self._expect_sent(text, talk, where)
                case {"receive": str(text)}:
                    await self._feed(bytes.fromhex(text))
                case {"pause_s": int() | float() as seconds}:
                    await self._ours.pause(seconds)
                case {"report": dict(wanted)}:
                    await self._expect_report(wanted, talk, where)
                case {"raise": str(name), **rest}:
                    await self._expect_raised(name, str(rest.get("match", "")), talk, where)
                    raised = True
                case {"cancel": True}:
                    talk.cancel()
                    cancelled = True
                case _:
                    raise AssertionError(f"{where}: unknown step")
        await self._settle()
        if cancelled:
            await asyncio.wait({talk})
            assert talk.cancelled(), f"{self._vector}: {talk.exception()!r}"
        self._nothing_unnamed()
        if not raised and not cancelled:
            if talk.done():
                talk.result()
            assert not talk.done(), f"{self._vector}: the driver returned"
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
        self._rejected_as_named()

    def _report(self, observation: Any) -> None:
        for table in described(observation):
            if table["kind"] == "rejected":
                self._rejected[str(table["reason"])] += int(str(table["count"]))
            self._reports.append(table)

    async def _feed(self, data: bytes) -> None:
        for piece in self._slicing(data):
            await self._device.send(piece)
            for _ in range(4):  # the driver takes each piece before the next comes
                await asyncio.sleep(0)

    async def _expect_sent(self, text: str, talk: asyncio.Task[None], where: str) -> None:
        wanted = text.split()
        deadline_s = self._device.monotonic_s() + STEP_WITHIN_S
        while len(self._sent) < len(wanted) and self._device.monotonic_s() < deadline_s:
            if talk.done() and not talk.cancelled():
                talk.result()
            self._sent += await _take(self._device)
        got = self._sent[: len(wanted)]
        same = len(got) == len(wanted) and all(
            form in ("??", f"{byte:02X}") for form, byte in zip(wanted, got, strict=True)
        )
        assert same, f"{where}\n  the driver sent {bytes(self._sent).hex(' ').upper() or 'nothing'}"
        del self._sent[: len(wanted)]

    async def _expect_report(self, wanted: Mapping[str, Any], talk: asyncio.Task[None], where: str) -> None:
        kind = wanted["kind"]
        if kind == "rejected":
            return  # counted at the end
        deadline_s = self._ours.monotonic_s() + STEP_WITHIN_S
        while (found := self._next_of(kind)) is None and self._ours.monotonic_s() < deadline_s and not talk.done():
            await self._settle()
        assert found is not None, f"{where}\n  nothing of this kind came; reported: {self._reports}"
        self._used[kind] += 1
        assert {**found, **wanted} == found, f"{where}\n  reported: {found}"

    async def _expect_raised(self, name: str, text: str, talk: asyncio.Task[None], where: str) -> None:
        await asyncio.wait([talk], timeout=STEP_WITHIN_S)
        assert talk.done(), f"{where}\n  the driver still runs"
        error = talk.exception()
        assert isinstance(error, getattr(errors, name)), f"{where}\n  the driver raised {error!r}"
        assert text in str(error), f"{where}\n  the message is {error}"

    def _next_of(self, kind: str) -> dict[str, Any] | None:
        same = [table for table in self._reports if table["kind"] == kind]
        return same[self._used[kind]] if len(same) > self._used[kind] else None

    async def _settle(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)
        await self._ours.pause(_TICK_S)

    def _nothing_unnamed(self) -> None:
        reports = [step["report"] for step in self._vector.table["steps"] if "report" in step]
        for kind in ALWAYS_NAMED | {str(report["kind"]) for report in reports}:
            if kind != "rejected":
                assert self._next_of(kind) is None, f"{self._vector}: not named: {self._next_of(kind)}"

    def _rejected_as_named(self) -> None:
        """At the very end: a driver may sum up what it has counted when it is cancelled."""
        reports = [step["report"] for step in self._vector.table["steps"] if "report" in step]
        rejected: Counter[str] = Counter()
        for report in reports:
            if report["kind"] == "rejected":
                rejected[report["reason"]] += report.get("count", 1)
        if rejected:
            assert self._rejected == rejected, f"{self._vector}: rejected by reason"


async def _take(port: MemoryPort) -> bytes:
    """What the driver sent, also when it has closed its end."""
    try:
        return await port.receive(_TICK_S)
    except errors.LinkError:
        await port.pause(_TICK_S)
        return b""
