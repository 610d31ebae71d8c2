"""The real daemons under the real units on a booted systemd. Opt-in, since it needs root and makes a root file system:

TAGWHARF_BOOT=DIRECTORY python -m pytest tests/system/test_boot.py      (the directory keeps the root file system)
"""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

WORK = os.environ.get("TAGWHARF_BOOT", "")
TREE = Path(__file__).parents[2]
LACKING = [program for program in ("mmdebstrap", "systemd-nspawn", "unshare") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.skipif(not WORK, reason="TAGWHARF_BOOT names no directory"),
    pytest.mark.skipif(bool(LACKING) or os.geteuid() != 0, reason=f"needs root and {LACKING}"),
]


def test_units_on_a_booted_system() -> None:
    work = Path(WORK).resolve()
    work.mkdir(parents=True, exist_ok=True)
    script = TREE / "tests/system/boot/boot.sh"
    command = ["bash", str(script), str(TREE), sysconfig.get_path("purelib"), str(work)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert "\nALL PASS" in done.stdout, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
