"""Writes the live conversation of a port as a vector file, so that a bug report from the field is a test.

The file is a valid vector file after every step: `tests/test_vectors.py` replays it against its driver.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from readers.driver import Port, Report
from readers.errors import ReaderError
from readers.obis import ObisCode
from readers.observations import CardReads, InForce, Observation, Readings, Signals, TagReads
from readers.ports.base import PassingPort

MAX_BYTES: Final = 16 << 20
SHORTEST_PAUSE_S: Final = 0.001  # times in the file are to the millisecond
_US_PER_S: Final = 1_000_000
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

Plain = str | int | float | bool | list[int]


def described(observation: Observation) -> Iterator[dict[str, Plain]]:
    """An observation as the flat tables of a vector file: one for each read, reading or signal, without host times."""
    if isinstance(observation, TagReads):
        for read in observation.rows():
            yield {"kind": "tag_read", **_fields(read)}
    elif isinstance(observation, CardReads):
        for card in observation.cards:
            yield {"kind": "card_read", "card": card.identity.text, "antenna_port": card.antenna_port}
    elif isinstance(observation, Readings):
        for reading in observation.readings:
            yield {"kind": "reading", **_source(observation.source), **_fields(reading)}
    elif isinstance(observation, Signals):
        for signal in observation.signals:
            yield {"kind": "signal", **_source(observation.source), **_fields(signal)}
    elif isinstance(observation, InForce):
        yield {"kind": "in_force", **_source(observation.source), **dict(observation.values)}
    else:
        kind = type(observation).__name__
        yield {"kind": {"DeviceInfo": "device_info"}.get(kind, kind.lower()), **_fields(observation)}


def _source(source: str | None) -> dict[str, Plain]:
    return {} if source is None else {"source": source}


def _fields(item: object) -> dict[str, Plain]:
    fields = {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}  # type: ignore[arg-type]  # a dataclass
    return {name: _plain(value) for name, value in fields.items() if value is not None and name != "sample"}


def _plain(value: object) -> Plain:
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal | ObisCode):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    assert isinstance(value, str | int | float | bool)
    return value


class RecordingPort(PassingPort):
    """A port whose conversation is written to a file; closing the port closes the file.

    Args:
        port: the real one.
        path: the file, written anew.
        driver, settings: what the conversation needs to be replayed.
        max_bytes: the recording ends there, and says so; the conversation goes on.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        port: Port,
        path: Path,
        *,
        driver: str,
        settings: Mapping[str, object] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(port)
        self._max_bytes = max_bytes
        self._written = 0
        self._full = False
        self._cancelled = False
        self._last_s = port.monotonic_s()
        self._file = path.open("w", encoding="utf-8")
        began = datetime.fromtimestamp(port.now_us() // _US_PER_S, UTC)
        self._write(
            f"source = {_toml(f'recorded from {port.description} at {began:%Y-%m-%dT%H:%M:%SZ}')}\n"
            f"driver = {_toml(driver)}\n\n[[exchange]]\n"
            f"name = {_toml('recorded')}\nsettings = {_toml(dict(settings or {}))}\n"
        )

    def recorded(self, report: Report) -> Report:
        """A report that is written down before it is passed on."""

        def write_and_pass(observation: Observation) -> None:
            for table in described(observation):
                self._step(f"report = {_toml(table)}")
            report(observation)

        return write_and_pass

    async def send(self, data: bytes) -> None:
        """Send and write down.

        Raises:
            LinkError: as the port below.
        """
        self._step(f"send = {_hex(data)}")
        await self._noted(self._port.send(data))

    async def receive(self, within_s: float) -> bytes:
        """Receive and write down.

        Raises:
            LinkError: as the port below.
        """
        data = await self._noted(self._port.receive(within_s))
        if data:
            self._step(f"receive = {_hex(data)}")
        return data

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await self._noted(self._port.pause(seconds))

    async def _noted(self, work: Awaitable[bytes | None]) -> bytes:
        try:
            result = await work
        except asyncio.CancelledError:
            if not self._cancelled:  # what follows is the driver's goodbye, which may have deadlines of its own
                self._cancelled = True
                self._step("cancel = true")
            raise
        except ReaderError as error:
            self._step(f"raise = {_toml(type(error).__name__)}")
            raise
        return result or b""

    async def close(self) -> None:
        """Close the port and the file."""
        await self._port.close()
        self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _step(self, line: str) -> None:
        now_s = self._port.monotonic_s()
        waited_s = now_s - self._last_s
        text = ""
        if waited_s >= SHORTEST_PAUSE_S:
            text = f"\n[[exchange.steps]]\npause_s = {waited_s:.3f}\n"
            self._last_s = now_s
        self._write(f"{text}\n[[exchange.steps]]\n{line}\n")

    def _write(self, text: str) -> None:
        if self._full or self._file.closed:
            return
        if self._written + len(text) > self._max_bytes:
            self._full = True
            text = f"\n# The recording ends here: it reached its limit of {self._max_bytes} bytes.\n"
        self._written += len(text)
        self._file.write(text)
        self._file.flush()


def _hex(data: bytes) -> str:
    return f'"{data.hex(" ").upper()}"'


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _toml(name)


def _toml(value: object) -> str:
    """A value of a settings table or a report, as TOML writes it inline."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(key))} = {_toml(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    # a JSON string is a TOML basic string, but for DEL and escaped surrogate pairs
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
