"""The Debian packages, built from this checkout and installed into a clean Debian 12 without a network."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.deb.roots import ARCHIVE, Root, build, copy_of_the_checkout

CAN = ARCHIVE.exists() and os.geteuid() == 0 and shutil.which("unshare") is not None
SITE = '[site]\nname = "hamburg"\n[[reader]]\nname = "gate"\ndriver = "llrp"\nport = "tcp://127.0.0.1:5084"\n'

pytestmark = pytest.mark.skipif(
    not CAN and not os.environ.get("CI"), reason="needs root and tests/system/peers/deb_root/install.sh"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_checkout(tmp_path_factory.mktemp("checkout") / "tagwharf")


@pytest.fixture(scope="module")
def first(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(sys.executable, checkout, tmp_path_factory.mktemp("first"), "--version", "0.1.0")


@pytest.fixture(scope="module")
def second(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(sys.executable, checkout, tmp_path_factory.mktemp("second"), "--version", "0.2.0")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    yield Root(tmp_path / "root")
    shutil.rmtree(tmp_path / "root", ignore_errors=True)


def test_two_builds_in_two_directories_are_the_same_to_the_byte(
    checkout: Path, first: list[Path], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "a longer path" / "elsewhere"
    shutil.copytree(checkout, elsewhere)
    again = build(sys.executable, elsewhere, tmp_path / "out", "--version", "0.1.0", umask=0o077)
    assert [path.name for path in again] == [path.name for path in first]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in first]


def test_a_life_on_a_machine_without_a_network(first: list[Path], second: list[Path], root: Root) -> None:
    before = everything(root)
    told = root.install(*first)
    assert "nothing is started yet" in told
    assert root.well("tagwharf", "--version") == "tagwharf 0.1.0\n"
    assert root.link("current") == "versions/0.1.0"
    assert root.link("previous") == ""
    assert "tagwharf-edge" in root.well("getent", "passwd", "tagwharf-edge")
    site = root.place / "etc/tagwharf/site.toml"
    shutil.copy(root.place / "usr/share/tagwharf/site.toml", site)
    assert "ok" in root.well("tagwharf", "check")
    site.write_text(SITE)
    assert "ok" in root.well("tagwharf", "check")
    assert root.well("dpkg", "--verify") == ""

    root.install(*second)
    assert root.well("tagwharf", "--version") == "tagwharf 0.2.0\n"
    assert (root.link("current"), root.link("previous")) == ("versions/0.2.0", "versions/0.1.0")
    assert site.read_text() == SITE, "an upgrade has touched the configuration"
    assert "tagwharf-runtime-0.1.0" not in root.well("apt-get", "-s", "autoremove")

    assert "0.1.0" in root.well("tagwharf-ctl", "rollback")
    assert (root.link("current"), root.link("previous")) == ("versions/0.1.0", "versions/0.2.0")
    assert root.well("tagwharf", "--version") == "tagwharf 0.1.0\n"
    root.well("tagwharf-ctl", "rollback")
    assert (root.link("current"), root.link("previous")) == ("versions/0.2.0", "versions/0.1.0")

    root.well("tagwharf-ctl", "switch", "0.1.0")
    kept = root.run("dpkg", "--remove", "tagwharf-runtime-0.1.0")
    assert kept.status != 0
    assert "is what runs" in kept.text
    assert root.well("tagwharf", "--version") == "tagwharf 0.1.0\n"

    (root.place / "var/lib/tagwharf-edge/journal").mkdir(parents=True)
    (root.place / "etc/credstore/tagwharf.mqtt-password").write_text("secret")
    (root.place / "etc/credstore/another").write_text("not ours")
    root.well("apt-get", "-q", "purge", "-y", "tagwharf", "tagwharf-runtime-0.1.0", "tagwharf-runtime-0.2.0")
    left = everything(root) - before
    assert {path for path in left if "tagwharf" in path} == set()
    assert "etc/credstore/another" in left


def test_what_is_damaged_or_does_not_fit_is_refused_and_dpkg_stays_whole(
    first: list[Path], second: list[Path], root: Root
) -> None:
    root.install(*first)
    site = root.place / "etc/tagwharf/site.toml"
    site.write_text(SITE)

    # A file of the new version is lost after its installation: apt goes on, the old version runs on.
    root.install(second[0])
    library = root.place / "opt/tagwharf/versions/0.2.0/venv/lib/python3.11/site-packages"
    victim = library / "gateway/edge/journal.py"
    content = victim.read_bytes()
    victim.unlink()
    told = root.install(second[1])
    assert "is damaged" in told
    assert "what ran before is unchanged" in told
    assert root.link("current") == "versions/0.1.0"
    assert root.well("dpkg", "--audit") == ""
    assert "journal.py" in root.run("dpkg", "--verify").text
    assert root.well("tagwharf", "--version") == "tagwharf 0.1.0\n"
    victim.write_bytes(content)
    root.well("tagwharf-ctl", "switch", "0.2.0")

    # The other version finds the site file wrong.
    site.write_text(SITE.replace("llrp", "no-such-driver"))
    refused = root.run("tagwharf-ctl", "rollback")
    assert refused.status == 3
    assert "no-such-driver" in refused.text
    site.write_text(SITE)

    # The other version would not read what a later one wrote.
    events = root.place / "var/lib/tagwharf/events"
    events.mkdir(parents=True)
    later_database(events / "events-2026-11-23.db")
    refused = root.run("tagwharf-ctl", "rollback")
    assert refused.status == 3
    assert "has version 9" in refused.text
    assert root.link("current") == "versions/0.2.0"
    assert not list(events.glob("*-shm")), "the gate has left files that the daemons cannot open"

    assert root.run("tagwharf-ctl", "switch", "9.9.9").status == 3
    assert root.run("tagwharf-ctl", "switch", "../../etc").status == 3


def test_the_package_for_ubuntu_holds_what_its_python_can_load(checkout: Path, tmp_path: Path) -> None:
    """Built and looked at; it has not run: there is no Ubuntu here."""
    runtime, small = build(sys.executable, checkout, tmp_path, "--target", "noble")
    told = field(runtime, "Depends")
    assert "python3 (>= 3.12~), python3 (<< 3.13~)" in told
    assert field(runtime, "Version").endswith("+ubuntu24.04")
    assert field(runtime, "Package") in field(small, "Depends")
    listing = subprocess.run(
        ["dpkg-deb", "--contents", str(runtime)], check=True, capture_output=True, text=True
    ).stdout
    extensions = [line.split()[5] for line in listing.splitlines() if line.split()[5].endswith(".so")]
    assert len(extensions) > 10
    others = [name for name in extensions if ".cpython-312-" not in name and ".abi3." not in name]
    assert [name for name in others if ".cpython-" in name] == []
    assert "venv/bin/python -> /usr/bin/python3.12" in listing


def test_an_upgrade_under_traffic_a_version_that_hangs_and_a_way_back(
    checkout: Path, first: list[Path], second: list[Path], root: Root, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging"
    shutil.copytree(checkout, hanging)
    watchdog = hanging / "gateway/systemd.py"
    fed = 'notify("WATCHDOG=1")'
    assert fed in watchdog.read_text()
    watchdog.write_text(watchdog.read_text().replace(fed, 'notify("STATUS=ready, and stuck")'))
    third = build(sys.executable, hanging, tmp_path / "third", "--version", "0.3.0")
    root.install(*first)
    for package in (*second, *third):
        shutil.copy(package, root.place / "packages")
    script = Path(__file__).parent / "deb/boot.sh"
    done = subprocess.run(
        ["bash", str(script), str(root.place)], check=False, capture_output=True, text=True, timeout=500
    )
    assert "\nALL PASS" in done.stdout, done.stdout + done.stderr
    assert "FAIL" not in done.stdout


def everything(root: Root) -> set[str]:
    """All paths of a root, but for what apt and dpkg keep for themselves."""
    own = ("var/cache/", "var/log/", "var/lib/dpkg/", "var/lib/apt/", "packages/", "var/lib/systemd/")
    found = {path.relative_to(root.place).as_posix() for path in root.place.rglob("*")}
    return {path for path in found if not path.startswith(own)}


def later_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 9")
        database.execute("CREATE TABLE later (one INTEGER)")
    database.close()


def field(package: Path, name: str) -> str:
    command = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
