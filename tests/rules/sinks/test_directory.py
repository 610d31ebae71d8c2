from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from gateway.config.sinks import DirectorySink as Settings
from rules.outputs import Parcel, Refusal, SinkTroubleError
from rules.sinks.directory import LOOK_EVERY_S, DirectorySink, open_directory, sync_names
from rules.sinks.letters import Clerk
from tests.rules.sinks.told import event, outputs

NAME = "exchange_20260921T141320123456Z_"
DAY_S = 86_400.0


def sink_to(directory: Path, *, now_s: Callable[[], float] = time.time, **more: object) -> DirectorySink:
    values = {"kind": "directory", "name": "exchange", "directory": directory, "events": ["*"], **more}
    told = Settings.model_validate(values)
    return DirectorySink(told, clerk=Clerk(told, site="port"), now_s=now_s)


def written(sink: DirectorySink, *writes: list[Parcel]) -> list[Refusal]:
    async def main() -> list[Refusal]:
        try:
            return [refusal for parcels in writes for refusal in await sink.write(parcels)]
        finally:
            await sink.close()

    return asyncio.run(main())


def parcels(first: int, last: int) -> list[Parcel]:
    return sink_to(Path("/x")).encode([outputs(*(event(n) for n in range(first, last)))])


def trouble(sink: DirectorySink, sent: list[Parcel]) -> SinkTroubleError:
    with pytest.raises(SinkTroubleError) as caught:
        written(sink, sent)
    return caught.value


def test_each_document_is_one_file_named_by_what_it_tells(tmp_path: Path) -> None:
    assert written(sink_to(tmp_path), parcels(0, 20)) == []
    files = sorted(tmp_path.iterdir())
    assert len(files) == 20
    assert files[0].name == f"{NAME}{event(0).id}.json"
    found = [msgspec.json.decode(file.read_bytes())["data"]["subject"] for file in files]
    assert found == [f"truck-{n}" for n in range(20)]  # by name is by time


def test_written_again_it_replaces_itself(tmp_path: Path) -> None:
    sent = parcels(0, 3)
    written(sink_to(tmp_path), sent)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / f".{NAME}{event(0).id}.json.tmp").write_bytes(b"half of what anoth")  # a life that ended in a write
    written(sink_to(tmp_path), sent, sent)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    """A reader that takes whatever it sees, while documents are written, finds only whole ones."""
    taker = (
        "import json, os, sys, time\n"
        "taken = 0\n"
        "until = time.monotonic() + 20\n"
        "while taken < 200 and time.monotonic() < until:\n"
        "    for name in os.listdir(sys.argv[1]):\n"
        "        if not name.startswith('.'):\n"
        "            json.load(open(os.path.join(sys.argv[1], name)))\n"
        "            os.unlink(os.path.join(sys.argv[1], name))\n"
        "            taken += 1\n"
        "print(taken)\n"
    )
    with subprocess.Popen([sys.executable, "-c", taker, tmp_path], stdout=subprocess.PIPE, text=True) as child:
        written(sink_to(tmp_path), *(parcels(n, n + 20) for n in range(0, 200, 20)))
        out, _ = child.communicate(timeout=30)
    assert out == "200\n"
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    (refusal,) = written(sink, sink.encode([outputs(event(0), event(1, name="\ud800"), event(2))]))
    assert refusal.reason.startswith("no document could be made of it: ")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    error = trouble(sink_to(tmp_path / "share"), parcels(0, 1))
    assert error.stopped
    wanted = f"sink 'exchange': {tmp_path}/share: No such file or directory; see that it is there, mounted"
    assert error.reason.startswith(wanted)
    assert not (tmp_path / "share").exists()


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("")
    assert trouble(sink_to(tmp_path / "share"), parcels(0, 1)).stopped


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As a full disk: what is written beyond it fails. The signal that would come instead is ignored."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_does_not_fit_leaves_no_half_file_under_its_name(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    sent = sink.encode([outputs(event(0, fields={"text": "x" * 5_000}))])
    with files_of_at_most(1_000):
        trouble(sink, sent)
    assert [file.name[0] for file in tmp_path.iterdir()] == ["."]
    assert written(sink_to(tmp_path), sent) == []
    (file,) = tmp_path.iterdir()
    assert len(msgspec.json.decode(file.read_bytes())["data"]["fields"]["text"]) == 5_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    (tmp_path / f".{NAME}{event(0).id}.json.tmp").symlink_to("/dev/full")
    error = trouble(sink, parcels(0, 1))
    assert not error.stopped
    assert os.strerror(errno.ENOSPC) in error.reason


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux only")
def test_a_file_system_that_has_no_durable_names_is_none_the_worse() -> None:
    number = os.open("/proc/self", os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(number)
    os.close(number)
    sync_names(Path("/proc/self"))


def test_old_files_of_ours_are_deleted_and_no_others(tmp_path: Path) -> None:
    now_s = time.time()
    old_s = now_s - 8 * DAY_S
    ours = [tmp_path / f"{NAME}{n}.json" for n in ("aaaa", "bbbb-raised-1")]
    others = [
        tmp_path / name
        for name in (
            "ORDERS.edi",
            "other_20260921T141320123456Z_aaaa.json",
            "exchange_2026.json",
            f"{NAME}a.json.taken",
        )
    ]
    for path in (*ours, *others):
        path.write_text("{}")
        os.utime(path, (old_s, old_s))
    ours[0].touch()  # new again
    written(sink_to(tmp_path, keep_days=7.0), parcels(0, 1))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {ours[0].name, *(path.name for path in others), f"{NAME}{event(0).id}.json"}


def test_without_keep_days_nothing_is_deleted(tmp_path: Path) -> None:
    old = tmp_path / f"{NAME}aaaa.json"
    old.write_text("{}")
    os.utime(old, (0, 0))
    written(sink_to(tmp_path), parcels(0, 1))
    assert old.exists()


def test_old_files_are_looked_for_now_and_then(tmp_path: Path) -> None:
    clock = [time.time()]
    sink = sink_to(tmp_path, now_s=lambda: clock[0], keep_days=1.0)

    async def main() -> list[bool]:
        found = []
        old = tmp_path / f"{NAME}aaaa.json"
        for after_s in (0.0, LOOK_EVERY_S - 1, 2.0):
            clock[0] += after_s
            old.write_text("{}")
            os.utime(old, (0, 0))
            await sink.write(parcels(0, 1))
            found.append(old.exists())
        await sink.close()
        return found

    assert asyncio.run(main()) == [False, True, False]


def test_a_sink_of_the_site_file_is_opened(tmp_path: Path) -> None:
    told = Settings(kind="directory", name="exchange", directory=tmp_path, events=["truck-in"])
    sink = open_directory(told, site="port")
    written(sink, sink.encode([outputs(event(0), event(1, "other"))]))
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}{event(0).id}.json"]
