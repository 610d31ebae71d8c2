import hashlib
import io
import tarfile
from pathlib import Path
from typing import IO

import pytest

from gateway.backup.archive import ArchiveWriter, TooSlowError, sync_directory


def test_an_archive_is_there_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    with ArchiveWriter(target, until_s=1e18) as writer:
        digest = writer.add("root/x", io.BytesIO(b"hello"), 5, 0o640, 7.0)
        assert not target.exists()
        writer.finish("MANIFEST.json", b"{}")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as tar:
        assert tar.getnames() == ["root/x", "MANIFEST.json"]
        assert tar.getmember("root/x").mode == 0o640
        source = tar.extractfile("root/x")
        assert source is not None
        assert source.read() == b"hello"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_nothing_stays_of_one_that_failed_and_the_old_one_stands(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_bytes(b"the last good one")

    def fail() -> None:
        with ArchiveWriter(target, until_s=1e18) as writer:
            writer.add("root/x", io.BytesIO(b"hell"), 5, 0o640, 7.0)  # shorter than it said

    with pytest.raises(OSError, match="unexpected end of data"):
        fail()
    assert target.read_bytes() == b"the last good one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_place_that_is_too_slow_is_given_up(tmp_path: Path) -> None:
    now_s = 0.0

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal now_s
            now_s += 10.0
            return super().read(size)

    def fail() -> None:
        with ArchiveWriter(tmp_path / "a.tar.gz", until_s=15.0, clock=lambda: now_s) as writer:
            size = 1 << 20
            writer.add("root/x", Slow(b"x" * size), size, 0o640, 7.0)

    with pytest.raises(TooSlowError, match="too slow or hangs"):
        fail()
    assert list(tmp_path.iterdir()) == []


def _fill(writer: ArchiveWriter, device: IO[bytes]) -> None:
    writer._gzip.fileobj = device
    writer.add("root/x", io.BytesIO(bytes(range(256)) * 40_000), 256 * 40_000, 0o640, 7.0)
    writer.finish("MANIFEST.json", b"{}")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(FileNotFoundError):
        ArchiveWriter(tmp_path / "none" / "a.tar.gz", until_s=1e18)
    writer = ArchiveWriter(tmp_path / "a.tar.gz", until_s=1e18)
    with full.open("wb", buffering=0) as device, pytest.raises(OSError, match="No space"), writer:
        _fill(writer, device)
    assert list(tmp_path.iterdir()) == []


def test_directories_are_made_durable(tmp_path: Path) -> None:
    sync_directory(tmp_path)
