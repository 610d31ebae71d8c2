"""Copies of a clean Debian 12, to install packages into; and copies of the checkout, to build packages from."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).resolve().parents[3]
SERVERS = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
ARCHIVE = SERVERS / "deb_root/rootfs.tar"
DATE_S = "1770000000"
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}


class Told(NamedTuple):
    """How a command in a root ended, and what it wrote."""

    status: int
    text: str


class Root:
    """One clean Debian 12 in a directory; commands in it have no network."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        subprocess.run(["tar", "-xf", str(ARCHIVE), "-C", str(place)], check=True)
        # No need to survive a power cut.
        (place / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
        (place / "packages").mkdir()

    def run(self, *command: str, limit_s: float = 300) -> Told:
        """Run a command in it, with processes and mounts of its own."""
        inside = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", f"--root={self.place}"]
        script = 'mount -t proc proc /proc; mount -t tmpfs tmpfs /run; mkdir -p /run/lock; exec "$@"'
        done = subprocess.run(
            [*inside, "sh", "-c", script, "sh", *command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=CLEAN,
            timeout=limit_s,
        )
        return Told(done.returncode, done.stdout)

    def well(self, *command: str) -> str:
        """What a command wrote that must end well."""
        told = self.run(*command)
        assert told.status == 0, f"{' '.join(command)}: {told.status}\n{told.text}"
        return told.text

    def install(self, *packages: Path) -> str:
        """Install packages with apt, from their files alone."""
        for package in packages:
            shutil.copy(package, self.place / "packages")
        names = [f"/packages/{package.name}" for package in packages]
        return self.well("apt-get", "-q", "install", "-y", "--no-install-recommends", *names)

    def link(self, name: str) -> str:
        """Where a link in /opt/tagwharf leads; empty when it is not there."""
        path = self.place / "opt/tagwharf" / name
        return str(path.readlink()) if path.is_symlink() else ""


def copy_of_the_checkout(place: Path) -> Path:
    """All files of the project in another directory, without its history."""
    command = ["git", "-C", str(TREE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0"):
        source = TREE / name
        if name and source.is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place / name)
    return place


def build(python: str, checkout: Path, out: Path, *arguments: str, umask: int = 0o022) -> list[Path]:
    """Build both packages: that of the runtime, and the small one."""
    done = subprocess.run(
        [python, str(checkout / "packaging/deb.py"), "--out", str(out), *arguments],
        check=False,
        capture_output=True,
        text=True,
        umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": DATE_S},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [Path(line) for line in done.stdout.splitlines()]
