"""The timer's user owns the memory of the rules, and may only read the edge journal: live, stopped or killed."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gateway.backup.making import BackupError, Order, make_backup
from gateway.config.load import load_site
from tests.gateway.backup.plant import Site
from tests.gateway.edge.support import opened, reads

EDGE, READER, GROUP = 61_001, 61_002, 61_003
WITHIN_S = 60.0
fork = multiprocessing.get_context("fork")  # the interpreter may lie where other users cannot start it

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


def become(user: int, umask: int) -> None:
    os.umask(umask)
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(user)


def write(state: Path, link: Connection) -> None:
    become(EDGE, 0o027)

    async def work() -> None:
        async with opened(state / "journal") as journal:
            journal.append(reads(3), heard={"reads": 3})
            await journal.flush()
            link.send("begun")
            await asyncio.to_thread(link.recv)

    asyncio.run(work())


def back_up(site_file: Path, to: Path, link: Connection) -> None:
    become(READER, 0o077)
    try:
        manifest = make_backup(Order(site_file, to, work=to, system=to), load_site(site_file)).manifest
    except BackupError as error:
        link.send(str(error))
    else:
        link.send(" ".join([*(member.kind for member in manifest.members), *(left.why for left in manifest.left_out)]))


def backed_up(site_file: Path, to: Path) -> str:
    ours, theirs = fork.Pipe()
    child = fork.Process(target=back_up, args=(site_file, to, theirs))
    child.start()
    assert ours.poll(WITHIN_S)
    told = str(ours.recv())
    child.join(WITHIN_S)
    return told


def laid_out(place: Path) -> tuple[Site, Path, Path]:
    """The site, the state of its edge daemon, and where backups go, with the owners that the units give them."""
    site = Site(place)
    (site.etc / "mqtt.key").chmod(0o600)
    edge, share = site.state.with_name("state-edge"), place / "share"
    for path, user in ((site.state, READER), (edge, EDGE), (share, READER)):
        path.mkdir(parents=True)
        path.chmod(0o750)
        os.chown(path, user, GROUP)
    make_backup(Order(site.file, place / "as-root.tar.gz", work=place, system=place), site.site)  # all is imported now
    return site, edge, share


@pytest.fixture(name="place")
def open_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="tagwharf-rights-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("end", ["live", "stopped", "killed"])
def test_a_reader_by_group_can_back_up_the_edge_journal(place: Path, end: str) -> None:
    site, edge, share = laid_out(place)
    ours, theirs = fork.Pipe()
    writer = fork.Process(target=write, args=(edge, theirs))
    writer.start()
    assert ours.poll(WITHIN_S)
    assert ours.recv() == "begun"
    if end == "stopped":
        ours.send("end")
        writer.join(WITHIN_S)
    elif end == "killed":
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(WITHIN_S)
    told = backed_up(site.file, share)
    ours.send("end")
    writer.join(WITHIN_S)
    assert "journal" in told.split(), told
    assert "cannot be opened" not in told
    assert not [path for path in edge.rglob("*") if path.stat().st_uid != EDGE], (
        "nothing of another user's is left there"
    )


def test_what_may_not_be_read_is_not_passed_over(place: Path) -> None:
    site, edge, share = laid_out(place)
    (edge / "journal").mkdir(mode=0o700)
    assert "Permission denied" in backed_up(site.file, share)
    assert list(share.iterdir()) == []
