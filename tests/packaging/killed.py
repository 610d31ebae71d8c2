"""Runs `tagwharf-ctl` until just before its n-th step that the outside can see, and dies there as by kill -9.

killed.py N PLACE ARGUMENT...     PLACE holds a Plant. Ends with 0 when the command had fewer steps.
"""

import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from tagwharf_ctl import units as watching  # noqa: E402
from tagwharf_ctl.cli import main  # noqa: E402  # it is found only now
from tagwharf_ctl.switch import Machine  # noqa: E402
from tagwharf_ctl.units import Units  # noqa: E402
from tagwharf_ctl.versions import Versions  # noqa: E402

STEPS = {"os.rename", "os.symlink", "os.remove", "subprocess.Popen", "fcntl.flock"}
left = int(sys.argv[1])
place = Path(sys.argv[2])


def count(event: str, details: tuple[object, ...]) -> None:
    """Die before the step."""
    global left  # noqa: PLW0603  # a hook has nothing else
    writes = event == "open" and str(place) in str(details[0])
    if event in STEPS or writes:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


watching.POLL_S = 0.02
here = place / "systemd"
units = Units(systemctl=str(here / "systemctl"), enabled=here / "enabled", booted=here / "booted")
machine = Machine(
    Versions(place / "opt"),
    units,
    lambda _: None,
    configuration=place / "etc",
    state=place / "var",
    dpkg=str(here / "dpkg"),
)
sys.addaudithook(count)
sys.exit(main(sys.argv[3:], machine))
