"""A directory of versions, and a systemctl that knows which version was started last and how well that one is."""

import sys
from pathlib import Path

from tagwharf_ctl.switch import Machine
from tagwharf_ctl.units import Units
from tagwharf_ctl.versions import Versions

EDGE = "tagwharf-edge.service"
SYSTEMCTL = """#!/bin/sh
here={here}
case $1 in
    restart) readlink {root}/current > $here/running; echo x >> $here/starts ;;
    list-units) echo "{edge} loaded active running The edge" ;;
    show)
        running=$(cat $here/running 2>/dev/null)
        echo x >> $here/looks
        echo "Id={edge}"
        echo "InvocationID=$(wc -l < $here/starts)"
        echo "WatchdogUSec=10s"
        echo "MainPID=0"
        case $(cat $here/how/${{running#versions/}} 2>/dev/null) in
            dies) echo "ActiveState=failed"; echo "ExecMainStatus=70" ;;
            loops) echo "ActiveState=activating"; echo "NRestarts=3" ;;
            starves) echo "ActiveState=activating"; echo "Result=watchdog" ;;
            hangs) echo "ActiveState=active"; echo "WatchdogTimestampMonotonic=7" ;;
            *) echo "ActiveState=active"; echo "WatchdogTimestampMonotonic=$(wc -l < $here/looks)" ;;
        esac ;;
esac
"""
GATE = """import sys
print({fault!r} or "", end="")
sys.exit(1 if {fault!r} else 0)
"""


class Plant:
    """A machine with versions, of which `current` runs."""

    def __init__(self, place: Path, *versions: str, current: str | None = None) -> None:
        self.place, self.root, self.told = place, place / "opt", list[str]()
        self.here = place / "systemd"
        (self.here / "how").mkdir(parents=True)
        (self.here / "booted").mkdir()
        self.root.mkdir()
        wants = self.here / "enabled/multi-user.target.wants"
        wants.mkdir(parents=True)
        (wants / EDGE).symlink_to("/usr/lib/systemd/system/" + EDGE)
        self.program("systemctl", SYSTEMCTL.format(here=self.here, root=self.root, edge=EDGE))
        self.program("dpkg", "#!/bin/sh\n")
        (self.here / "starts").write_text("")
        for version in versions:
            self.install(version)
        if current is not None:
            (self.root / "current").symlink_to(f"versions/{current}")
            (self.here / "running").write_text(f"versions/{current}\n")

    def install(self, version: str, *, fault: str = "") -> None:
        """A version whose gate finds this fault."""
        here = self.root / "versions" / version
        (here / "venv/bin").mkdir(parents=True)
        (here / "share").mkdir()
        (here / "venv/bin/python").symlink_to(sys.executable)
        (here / "share/gate.py").write_text(GATE.format(fault=fault))

    def behaves(self, version: str, how: str) -> None:
        """From now on this version `dies`, `hangs`, `starves` or `loops`; it is `well` otherwise."""
        (self.here / "how" / version).write_text(how)

    def program(self, name: str, text: str) -> Path:
        path = self.here / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    @property
    def links(self) -> tuple[str | None, str | None]:
        """The current and the previous version."""
        return self.versions.current, self.versions.previous

    @property
    def running(self) -> str:
        """What was started last."""
        return (self.here / "running").read_text().strip().removeprefix("versions/")

    @property
    def starts(self) -> int:
        return len((self.here / "starts").read_text().split())

    @property
    def versions(self) -> Versions:
        return Versions(self.root)

    @property
    def machine(self) -> Machine:
        """As the command gets it."""
        units = Units(
            systemctl=str(self.here / "systemctl"), enabled=self.here / "enabled", booted=self.here / "booted"
        )
        return Machine(
            self.versions,
            units,
            self.told.append,
            configuration=self.place / "etc",
            state=self.place / "var",
            dpkg=str(self.here / "dpkg"),
        )

    def leftovers(self) -> list[str]:
        """What a finished call may not leave."""
        return sorted(path.name for path in self.root.glob(".*") if path.name != ".lock")
