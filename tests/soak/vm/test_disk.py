"""The disk keeps what was flushed, and nothing else for certain; a real client of the protocol says so too."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.soak.vm.disk import SECTORS, DiskServer, VolatileDisk

SECTOR = min(SECTORS)
BLOCK = 8 * SECTOR


def test_what_was_flushed_is_there_after_a_cut_and_the_rest_is_not() -> None:
    disk = VolatileDisk(bytes(4 * BLOCK), sector=SECTOR)
    disk.write(0, b"a" * BLOCK)
    disk.flush()
    disk.write(0, b"b" * BLOCK)
    disk.write(BLOCK, b"c" * BLOCK)
    assert disk.read(0, 1) == b"b"
    assert disk.cut(random.Random(1), 0.0) == b"a" * BLOCK + bytes(3 * BLOCK)
    assert disk.lost_sectors == 16
    assert disk.read(0, 1) == b"a"
    assert disk.flushes == 1


def test_sectors_are_kept_one_by_one() -> None:
    disk = VolatileDisk(bytes(64 * BLOCK), sector=SECTOR)
    disk.write(0, b"x" * 64 * BLOCK)
    image = disk.cut(random.Random(1), 0.5)
    sectors = [image[at : at + SECTOR] for at in range(0, len(image), SECTOR)]
    assert set(sectors) == {bytes(SECTOR), b"x" * SECTOR}
    assert disk.lost_sectors == sectors.count(bytes(SECTOR))
    assert 150 < disk.lost_sectors < 350


@pytest.mark.parametrize("sector", SECTORS)
def test_no_sector_is_torn(sector: int) -> None:
    disk = VolatileDisk(bytes(64 * sector), sector=sector)
    disk.write(sector // 2, b"x" * 50 * sector)
    image = disk.cut(random.Random(1), 0.5)
    sectors = {image[at : at + sector] for at in range(sector, 50 * sector, sector)}
    assert sectors == {bytes(sector), b"x" * sector}
    assert image[: sector // 2] == bytes(sector // 2)


def test_a_later_write_may_survive_an_earlier_one() -> None:
    survivors = set()
    for seed in range(32):
        disk = VolatileDisk(bytes(2 * SECTOR), sector=SECTOR)
        disk.write(0, b"1" * SECTOR)
        disk.write(SECTOR, b"2" * SECTOR)
        image = disk.cut(random.Random(seed), 0.5)
        survivors.add((image[0] != 0, image[SECTOR] != 0))
    assert survivors == {(False, False), (False, True), (True, False), (True, True)}


def test_a_disk_that_lies_keeps_nothing_for_its_flushes() -> None:
    disk = VolatileDisk(bytes(BLOCK), honest=False)
    disk.write(0, b"a" * BLOCK)
    disk.flush()
    assert disk.cut(random.Random(1), 0.0) == bytes(BLOCK)


def test_it_dies_with_the_write_that_it_was_told() -> None:
    disk = VolatileDisk(bytes(BLOCK))
    disk.die_at(2)
    disk.write(0, b"a")
    assert not disk.dead.is_set()
    disk.write(1, b"b")
    assert disk.dead.is_set()
    disk.flush()  # was on its way, and comes too late
    assert disk.cut(random.Random(1), 0.0) == bytes(BLOCK)
    disk.die_at(None)
    assert not disk.dead.is_set()


def test_a_client_that_speaks_the_protocol(tmp_path: Path) -> None:
    qemu_io = Path("/usr/bin/qemu-io")
    if not qemu_io.exists():
        pytest.skip("qemu-utils is not installed")
    disk = VolatileDisk(bytes(1 << 20))
    server = DiskServer(tmp_path / "disk", disk)
    commands = ("write -P 7 4096 8192", "flush", "write -P 9 65536 512", "read -P 7 4096 8192", "read -P 9 65536 512")
    options = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        [qemu_io, "-f", "raw", "-t", "writeback", *options, f"nbd:unix:{tmp_path / 'disk'}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    server.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verification failed" not in done.stdout
    assert disk.read(4096, 8192) == b"\7" * 8192
