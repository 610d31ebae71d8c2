import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.backup.manifest import NAME, Manifest, Member, encode_manifest
from gateway.backup.reading import ArchiveError, checked, extract
from tests.gateway.backup.test_manifest import MANIFEST

Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"hello") -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def member(path: str, content: bytes = b"hello") -> Member:
    digest = hashlib.sha256(content).hexdigest()
    return Member(path=path, kind="config", size_bytes=len(content), sha256=digest, mode=0o4777)


def of(*members: Member) -> Manifest:
    return msgspec.structs.replace(MANIFEST, members=list(members))


def packed(path: Path, *entries: Entry, manifest: Manifest | None = None, level: int = 1) -> Path:
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=level) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
        if manifest is not None:
            info, content = entry(NAME, encode_manifest(manifest))
            tar.addfile(info, io.BytesIO(content))
    return path


def test_what_is_whole_is_written_and_nothing_else_changes(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "a", entry("root/etc/x"), entry("root/etc/y"), manifest=of(member("/etc/x"), member("/etc/y"))
    )
    manifest = checked(path)
    extract(path, manifest, lambda each: tmp_path / "out" / "x" if each.path == "/etc/x" else None)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["x"]
    assert (tmp_path / "out" / "x").read_bytes() == b"hello"
    assert (tmp_path / "out" / "x").stat().st_mode & 0o7777 == 0o755, "no bits that grant more than reading and running"
    with pytest.raises(FileExistsError):
        extract(path, manifest, lambda _: tmp_path / "out" / "x")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        extract(path, manifest, lambda _: tmp_path / "link")
    assert not (tmp_path / "victim").exists()


def kind(name: str, letter: bytes, target: str = "") -> Entry:
    info, content = entry(name)
    info.type, info.linkname, info.size = letter, target, 0
    return info, content


@pytest.mark.parametrize(
    ("entries", "manifest", "told"),
    [
        ([kind("root/etc/x", tarfile.SYMTYPE, "/etc/shadow")], of(member("/etc/x", b"")), "no plain file"),
        ([kind("root/etc/x", tarfile.LNKTYPE, "/etc/shadow")], of(member("/etc/x", b"")), "no plain file"),
        ([kind("root/etc/x", tarfile.DIRTYPE)], of(), "no plain file"),
        ([kind("root/etc/x", tarfile.CHRTYPE)], of(member("/etc/x", b"")), "no plain file"),
        ([kind("root/etc/x", tarfile.FIFOTYPE)], of(member("/etc/x", b"")), "no plain file"),
        ([entry("root/../../etc/x")], of(member("/../../etc/x")), "no plain absolute path"),
        ([entry("/etc/x")], of(member("/etc/x")), "missing"),
        ([entry("root/etc/x")], of(), "not in its manifest"),
        ([entry("root/etc/x"), entry("root/etc/x", b"other")], of(member("/etc/x")), "twice"),
        ([entry("root/etc/x")], of(member("/etc/x"), member("/etc/x")), "names a file twice"),
        ([entry("root/etc/x", b"hellO")], of(member("/etc/x")), "is not what the manifest says"),
        ([entry("root/etc/x")], None, "has no manifest: it was cut off"),
        ([entry(NAME, b"{}")], None, "no manifest of a backup"),
        ([entry(NAME, encode_manifest(of())), entry("root/etc/x")], None, "something follows the manifest"),
    ],
)
def test_attacks_are_refused(tmp_path: Path, entries: list[Entry], manifest: Manifest | None, told: str) -> None:
    path = packed(tmp_path / "a", *entries, manifest=manifest)
    with pytest.raises(ArchiveError, match=told):
        checked(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    with gzip.open(tmp_path / "a", "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT if info.size < 1 << 33 else tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(ArchiveError, match="a header of 1099511627776 bytes"):
        checked(tmp_path / "a")


def damage(content: bytes, rng: random.Random) -> bytes:
    kinds: list[Callable[[], bytes]] = [
        lambda: content[: rng.randrange(len(content))],
        lambda: content[: (at := rng.randrange(len(content)))] + bytes([content[at] ^ 0x55]) + content[at + 1 :],
        lambda: rng.randbytes(200),
        lambda: content[:20] + rng.randbytes(200) + content[20:],
    ]
    return rng.choice(kinds)()


def test_damage_is_always_found_and_nothing_else_happens(tmp_path: Path) -> None:
    rng = random.Random(11)
    path = packed(tmp_path / "a", entry("root/etc/x", rng.randbytes(3_000)), manifest=of(member("/etc/x")))
    whole = packed(tmp_path / "b", entry("root/etc/x"), manifest=of(member("/etc/x")), level=9).read_bytes()
    harmless = 0
    for _ in range(300):
        path.write_bytes(damage(whole, rng))
        try:
            assert checked(path) == of(member("/etc/x"))  # the padding, or the time in a header
            harmless += 1
        except ArchiveError:
            continue
    assert harmless < 60


def test_one_that_changes_between_check_and_use_is_refused(tmp_path: Path) -> None:
    manifest = of(member("/etc/x"))
    path = packed(tmp_path / "a", entry("root/etc/x"), manifest=manifest)
    assert checked(path) == manifest
    packed(path, entry("root/etc/x", b"hellO"), manifest=manifest)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        extract(path, manifest, lambda _: tmp_path / "out")
