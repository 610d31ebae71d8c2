"""The real daemons under the real units on a booted systemd, on simulated devices. Needs root and systemd-container.

The root file system is made by tests/system/peers/boot/install.sh.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gateway.console.access.passwords import make_hash
from tests.support.certificates import authority

TREE = Path(__file__).parents[2]
BOOT = Path(__file__).parent / "boot"
SERVERS = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
ROOTFS = SERVERS / "boot" / "rootfs.tar"
LACKING = [program for program in ("systemd-nspawn", "unshare", "openssl") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="booting a machine needs root"),
    pytest.mark.skipif(bool(LACKING) and "CI" not in os.environ, reason=f"not installed: {LACKING}"),
    pytest.mark.skipif(not ROOTFS.exists() and "CI" not in os.environ, reason=f"{ROOTFS} is not there"),
]

# Whatever else is told of the machine, none of these may be.
PASSWORD = "canary-of-the-password"
MQTT_PASSWORD = "canary-of-the-broker"
CARD_KEY = "canary-of-the-cards-0123456789abcdef"
CONTROL_KEY = "canary-of-the-orders-0123456789abcdef0123456789abcdef"


def make_secrets(work: Path) -> None:
    """credstore/, tls/ and canaries, as boot.sh takes them."""
    tls = authority(work / "tls", console="DNS:console.example")
    key, hashed = (tls / "console.key").read_text(), make_hash(PASSWORD)
    secrets = {"mqtt-password": MQTT_PASSWORD, "card-key": CARD_KEY}
    secrets |= {f"dock.{name}": value for name, value in secrets.items()}
    secrets |= {"console.key": key, "console-anna": hashed, "control-anna": CONTROL_KEY}
    store = work / "credstore"
    store.mkdir()
    for name, value in secrets.items():
        (store / f"tagwharf.{name}").write_text(value)
    canaries = [PASSWORD, MQTT_PASSWORD, CARD_KEY, CONTROL_KEY, key.splitlines()[1], hashed.rpartition("$")[2]]
    (work / "canaries").write_text("\n".join(canaries))


def make_pages(work: Path) -> None:
    """The paths of the console that tell something without being asked anything particular."""
    found = set()
    for module in sorted((TREE / "gateway/console/pages").glob("*.py")):
        for path in re.findall(r'Route\("(/[a-z-]+)", [a-z_.]+\)', module.read_text()):
            found.add(f"/api/{module.stem}{path}")
    assert len(found) > 20
    (work / "pages").write_text("\n".join(sorted(found)))


def test_units_on_a_booted_system(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    make_pages(tmp_path)
    command = ["bash", str(BOOT / "boot.sh"), str(TREE), sysconfig.get_path("purelib"), str(ROOTFS), str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    sys.stdout.write(done.stdout)
    assert "\nALL PASS" in done.stdout, "\n".join([*failed, done.stdout, done.stderr])
    assert not failed
