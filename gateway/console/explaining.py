"""Asks `rules list`, `rules trace` and `rules replay` for the console, each in a process of its own.

What they read may be hours of a port: in the console it would hold up every page, and keep its memory. So one process
runs at a time, politely, with bounds on its time and its answer; whoever comes when four wait already is sent away.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.load import site_files
from gateway.logs import clean

COMMAND: Final = (sys.executable, "-P", "-m", "rules")
MOST_WAITING: Final = 4
SHORT_BACK_S: Final = 300.0
NOT_AGAIN: Final = "not_again"
"""What `rules trace` answers when the replay does not come to what happened."""
NICENESS: Final = 10
GOES_FIRST: Final = "1000"
"""When memory is short the kernel ends this process, and not the console."""
KEPT_S: Final = 30.0
"""How long an answer on a recording is given again: a page is reloaded, and two people look at one alarm."""
MOST_KEPT: Final = 16
MOST_KEPT_BYTES: Final = 16 << 20
MOST_COMPLAINT_BYTES: Final = 16 << 10
MOST_COMPLAINT: Final = 2_000
MOST_TEXT: Final = 200
MOST_WITHIN_S: Final = 3_600.0
MOST_LOOK_BACK_S: Final = 86_400.0
MOST_REPLAY_US: Final = 86_400_000_000
MOST_TOLD: Final = 500
"""Differences of one rule that a replay lists; it counts all."""
_CHUNK: Final = 1 << 16
_FIRST_US: Final = 1_000_000_000_000_000  # in 2001; the commands take smaller numbers for durations
_LAST_US: Final = 253_402_300_800_000_000  # the year 10000, which no text of a time goes beyond
_ENDS_WITHIN_S: Final = 5.0
_ID: Final = re.compile(r"[0-9a-f]{20}")
_RULE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ANSWERED: Final = (0, 1)  # 1: the answer is no
_STATUS: Final = {1: HTTPStatus.NOT_FOUND, 2: HTTPStatus.BAD_REQUEST, 78: HTTPStatus.CONFLICT}
"""By the exit status of a command that answered nothing: what was asked for is not there; the site file has faults."""

Stamp = tuple[str, int, int, int]


class ExplainingError(Exception):
    """There is no answer.

    Attributes:
        status: of HTTP, to be told with the text: 400 what was asked is wrong, 404 it is not there, 409 the site file
            has faults, 413 the answer is too long, 503 too many ask, 504 it takes too long, 500 else.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = int(status)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use."""

    within_s: float = 60.0
    most_bytes: int = 8 << 20


class Explaining:
    """Asks about the site of one site file. Every answer is decoded JSON, as `rules ... --json` tells it.

    Args:
        config: the site file.
    """

    def __init__(self, config: Path, *, limits: Limits | None = None, command: Sequence[str] = COMMAND) -> None:
        self._config = config
        self._limits = limits or Limits()
        self._command = tuple(command)
        self._turn = asyncio.Lock()
        self._rules_turn = asyncio.Lock()
        self._asking = 0
        self._kept: OrderedDict[tuple[str, ...], tuple[float, bytes]] = OrderedDict()
        self._rules: tuple[tuple[Stamp, ...], bytes] | None = None

    async def rules(self) -> Any:
        """Every rule as it runs; asked anew when the site file or its rule file has changed.

        Raises:
            ExplainingError: there is no answer.
        """
        async with self._rules_turn:
            known = self._rules
            if known is not None and known[0] == _stamps([Path(stamp[0]) for stamp in known[0]]):
                return _decoded(known[1])
            stamps = _stamps(await asyncio.to_thread(site_files, self._config))  # before they are read
            payload = await self._ask(("list", "--json", "--config", str(self._config)), is_kept=False)
            self._rules = (stamps, payload)
            return _decoded(payload)

    async def trace(self, event_or_alarm_id: str, at_us: int | None = None, *, look_back_s: float | None = None) -> Any:
        """Why an event was made, or an alarm raised; of an alarm that was raised often, the last time up to `at_us`.

        What was under way then is known from `look_back_s` before: each hour takes its time. If None, it is a few
        minutes, and an hour where these do not show it again.

        Raises:
            ExplainingError: there is no answer.
        """
        if _ID.fullmatch(event_or_alarm_id) is None:
            raise ExplainingError("an event or alarm is asked for by its id of 20 hex digits", HTTPStatus.BAD_REQUEST)
        at = () if at_us is None else ("--at", _time(at_us))
        words = (*at, event_or_alarm_id)
        if look_back_s is not None:
            return _decoded(await self._ask(self._on_recording("trace", *_back(look_back_s), *words)))
        found = _decoded(await self._ask(self._on_recording("trace", *_back(SHORT_BACK_S), *words)))
        if not isinstance(found, dict) or found.get("answer") != NOT_AGAIN:
            return found
        return _decoded(await self._ask(self._on_recording("trace", *words)))

    async def why_not(
        self,
        rule: str,
        about: str,
        at_us: int | None = None,
        within_s: float = 60.0,
        *,
        look_back_s: float | None = None,
    ) -> Any:
        """What a rule made of what came about a subject, name or key, around a time; of the recording's end if None.

        Raises:
            ExplainingError: there is no answer.
        """
        if _RULE.fullmatch(rule) is None:
            raise ExplainingError("a rule has a name of a-z, 0-9, _ and -", HTTPStatus.BAD_REQUEST)
        if not about or len(about) > MOST_TEXT or not about.isprintable():
            text = (
                f"say what it is about, in {MOST_TEXT} characters at most: an EPC, a meter, a name, a key of the rule"
            )
            raise ExplainingError(text, HTTPStatus.BAD_REQUEST)
        if not 0 < within_s <= MOST_WITHIN_S:
            raise ExplainingError(f"look at {MOST_WITHIN_S:g} s before and after at most", HTTPStatus.BAD_REQUEST)
        at = () if at_us is None else ("--at", _time(at_us))
        words = (f"--rule={rule}", f"--about={about}", *at, "--within", f"{within_s:.3f}s", *_back(look_back_s))
        return _decoded(await self._ask(self._on_recording("trace", *words)))

    async def replay(self, from_us: int, to_us: int, *, look_back_s: float | None = None) -> Any:
        """What the rules of today make of the recording of a time, against what happened.

        Raises:
            ExplainingError: there is no answer.
        """
        window = ("--from", _time(from_us), "--to", _time(to_us))
        if not 0 < to_us - from_us <= MOST_REPLAY_US:
            raise ExplainingError("replay a day at most, from its beginning to its end", HTTPStatus.BAD_REQUEST)
        words = ("--diff", "--most", str(MOST_TOLD), *window, *_back(look_back_s))
        return _decoded(await self._ask(self._on_recording("replay", *words)))

    def _on_recording(self, command: str, *words: str) -> tuple[str, ...]:
        return (command, "--json", "--config", str(self._config), *words)

    async def _ask(self, words: tuple[str, ...], *, is_kept: bool = True) -> bytes:
        if (payload := self._known(words)) is not None:
            return payload
        if self._asking > MOST_WAITING:
            text = "others are being answered, and more wait already; ask again in a minute"
            raise ExplainingError(text, HTTPStatus.SERVICE_UNAVAILABLE)
        self._asking += 1
        try:
            async with self._turn:
                if (payload := self._known(words)) is None:  # whoever was before may have asked the same
                    payload = await self._run(words)
                    if is_kept:
                        self._keep(words, payload)
        finally:
            self._asking -= 1
        return payload

    def _known(self, words: tuple[str, ...]) -> bytes | None:
        until_s, payload = self._kept.get(words, (0.0, b""))
        return payload if until_s > asyncio.get_running_loop().time() else None

    def _keep(self, words: tuple[str, ...], payload: bytes) -> None:
        self._kept[words] = (asyncio.get_running_loop().time() + KEPT_S, payload)
        self._kept.move_to_end(words)
        while len(self._kept) > MOST_KEPT or sum(len(each) for _, each in self._kept.values()) > MOST_KEPT_BYTES:
            self._kept.popitem(last=False)

    async def _run(self, words: tuple[str, ...]) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONUTF8": "1"},
                start_new_session=True,
            )
        except OSError as error:
            text = f"the command cannot be started: {error.strerror}"
            raise ExplainingError(text, HTTPStatus.INTERNAL_SERVER_ERROR) from error
        _put_behind(process.pid)
        assert process.stdout is not None  # both are pipes, see above
        assert process.stderr is not None
        complaining = asyncio.create_task(_first(process.stderr, MOST_COMPLAINT_BYTES))
        try:
            async with asyncio.timeout(self._limits.within_s):
                payload = await self._answer_of(process.stdout)
                complaint, status = await complaining, await process.wait()
        except TimeoutError:
            text = f"no answer within {self._limits.within_s:g} s; ask about a shorter time"
            raise ExplainingError(text, HTTPStatus.GATEWAY_TIMEOUT) from None
        finally:
            await _end(process, complaining)
        if payload and status in _ANSWERED:
            return payload
        raise _failure(complaint, status)

    async def _answer_of(self, stream: asyncio.StreamReader) -> bytes:
        most = self._limits.most_bytes
        parts, size = [], 0
        while part := await stream.read(_CHUNK):
            size += len(part)
            if size > most:
                text = f"the answer is longer than {most >> 20} MiB; ask about a shorter time"
                raise ExplainingError(text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            parts.append(part)
        return b"".join(parts)


def _put_behind(pid: int) -> None:
    """Let a process have what others leave, of time and of memory."""
    with suppress(OSError):  # a courtesy, which the sandbox of the unit may not grant
        os.setpriority(os.PRIO_PGRP, pid, NICENESS)
    with suppress(OSError):  # it ended already, or this system has no such thing
        Path(f"/proc/{pid}/oom_score_adj").write_text(GOES_FIRST)


async def _first(stream: asyncio.StreamReader, most: int) -> bytes:
    """The first bytes of a stream, which is read to its end."""
    found = bytearray()
    while part := await stream.read(_CHUNK):
        found += part[: most - len(found)]
    return bytes(found)


async def _end(process: asyncio.subprocess.Process, complaining: asyncio.Task[bytes]) -> None:
    """Leave no process behind, and no pipe; a process that cannot be killed is left to the system."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None  # it is a pipe
    with suppress(TimeoutError):  # it hangs in the kernel, on a disk that is gone
        async with asyncio.timeout(_ENDS_WITHIN_S):
            await _first(process.stdout, 0)
            await complaining
            await process.wait()
    complaining.cancel()


def _failure(complaint: bytes, status: int) -> ExplainingError:
    """Why a command gave no answer, in its own words."""
    if complaint.startswith(b"Traceback"):  # a defect; Python ends with 1 then, too
        complaint, status = complaint.rstrip().rpartition(b"\n")[2], 0
    if status == -signal.SIGKILL and not complaint:
        text = "the command was killed, most likely for want of memory; ask about a shorter time"
        return ExplainingError(text, HTTPStatus.INTERNAL_SERVER_ERROR)
    lines = [clean(line, MOST_COMPLAINT) for line in complaint.decode(errors="replace").strip().splitlines()]
    text = "\n".join(lines)[:MOST_COMPLAINT] or f"the command ended with status {status}, and said nothing"
    return ExplainingError(text, _STATUS.get(status, HTTPStatus.INTERNAL_SERVER_ERROR))


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        text = f"the answer of the command is no JSON: {error}"
        raise ExplainingError(text, HTTPStatus.INTERNAL_SERVER_ERROR) from error


def _back(look_back_s: float | None) -> tuple[str, ...]:
    if look_back_s is None:
        return ()
    if not 0 <= look_back_s <= MOST_LOOK_BACK_S:
        raise ExplainingError(f"look back {MOST_LOOK_BACK_S:g} s at most", HTTPStatus.BAD_REQUEST)
    return ("--look-back", f"{look_back_s:.0f}s")


def _time(at_us: int) -> str:
    if not _FIRST_US <= at_us < _LAST_US:
        raise ExplainingError(f"{at_us} is no time in microseconds since 1970", HTTPStatus.BAD_REQUEST)
    return str(at_us)


def _stamps(files: Sequence[Path]) -> tuple[Stamp, ...]:
    """What tells that a file has changed; of one that is not there, nothing."""
    found: list[Stamp] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append((str(file), 0, 0, 0))
        else:
            found.append((str(file), status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
