"""Power cuts: a machine that writes both journals is killed at any moment, and its disk loses what was not flushed.

    python -m tests.soak.power_cuts [--cuts N] [--seed S]

A guest boots once, loads the product's own writers and is kept as a file before it knows its disk. Each cut goes on
from there: the guest mounts the disk, opens both journals, writes, and acknowledges over its serial line what is
committed, until QEMU is killed: at some time, or when the disk dies with one of its writes. Of what the disk had taken
and not flushed, any part may be gone then, sector by sector. The product's own code opens what is left: every
acknowledged row must be there, the ledger balances, nothing is damaged. Cuts come in series of several on one disk, so
that the recovery of one is what the next one is written to: the kernel's own where a drive writes 4 KiB whole or not at
all, fsck's where it tears them, since ext4 may then need it.

A last machine gives its writers a limit of memory, as MemoryMax= of a unit does, and lets them grow until the kernel
kills them, several times, before its power fails: what was acknowledged is there all the same.

The controls show that the test can fail: journals that never sync, and a disk that takes a flush for nothing, must lose
acknowledged rows. Needs `bash tests/soak/vm/install.sh` as root, once.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.soak.checks import Check, SkippedError
from tests.soak.vm.disk import SECTORS, DiskServer, VolatileDisk
from tests.soak.vm.image import ROOT_TAR, Guest, build
from tests.soak.vm.machine import QEMU, Machine, MachineError
from tests.soak.vm.rows import STARVED_TIMES
from tests.soak.vm.verdict import Acknowledged, Verdict, judge

CUTS: Final = 100
IN_SERIES: Final = 4
CONTROLS: Final = 2
DISK_BYTES: Final = 96 << 20
BOOT_S: Final = 600.0
OPEN_S: Final = 180.0
LATEST_CUT_S: Final = 4.0
LATEST_WRITE: Final = 900  # the first hundred belong to mounting and to opening both journals
BY_TIME: Final = 0.25  # of the cuts
CONTROL_CUT_S: Final = (3.0, 5.0)  # late enough that something was acknowledged and nothing else has synced it
KEPT: Final = (0.0, 0.5, 0.95)  # of the sectors not flushed
FILE_SYSTEM_SECTOR: Final = 1024  # ext4 takes for granted that its superblock is written whole; else fsck comes first
E2FSCK_MENDED: Final = 1  # the journal of the file system was replayed


class Moment(NamedTuple):
    """When the power fails: with a write to the disk, or so long after the journals were opened."""

    write: int | None
    at_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s" if self.write is None else f"write {self.write}"


class Cut(NamedTuple):
    """One cut: what it was, and what came of it."""

    name: str
    moment: Moment
    kept: float
    said: Acknowledged
    verdict: Verdict
    lost_sectors: int
    flushes: int
    mended: bytes

    def __str__(self) -> str:
        return (
            f"{self.name:<14} {self.moment!s:>10} {self.kept:5.2f} {self.flushes:8d} {self.lost_sectors:8d} "
            f"{self.said.sequence:8d} {self.verdict.sequence:8d} {self.verdict.lost_rows:6d} "
            f"{self.said.events:8d} {self.verdict.events:8d} {self.verdict.lost_events:6d}  "
            + ("; ".join(self.verdict.faults)[:300] or "ok")
        )


HEAD: Final = (
    f"{'cut':<14} {'at':>10} {'kept':>5} {'flushes':>8} {'sectors-':>8} "
    f"{'acked':>8} {'rows':>8} {'lost':>6} {'acked':>8} {'events':>8} {'lost':>6}  verdict"
)


class Bench:
    """The machine in its state before the disk, and what a new disk looks like."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._state = work / "state"
        self.guest: Guest = build(work)
        blank = work / "blank.img"
        with blank.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-F", blank], check=True)
        self.blank = blank.read_bytes()
        blank.unlink()
        server = DiskServer(work / "disk", VolatileDisk(self.blank))
        with Machine(self.guest, work, work / "disk") as machine:
            machine.hear(b"R\n", BOOT_S)
            machine.save(self._state, BOOT_S)
        server.close()

    def cut(
        self,
        name: str,
        disk: VolatileDisk,
        rng: random.Random,
        moment: Moment,
        mode: str = "full",
        after: bytes = b"\nH ",
    ) -> Cut:
        """One life of the machine on this disk, and its end; a time counts from when the machine has said `after`."""
        kept, flushes = rng.choice(KEPT), disk.flushes
        path = self._work / "disk"
        path.unlink(missing_ok=True)
        disk.die_at(moment.write)
        server = DiskServer(path, disk)
        stuck = ""
        with Machine(self.guest, self._work, path, self._state) as machine:
            try:
                machine.go(f"go {mode}", OPEN_S)
                if moment.write is None:
                    machine.hear(after, OPEN_S)
                    machine.listen(moment.at_s)
                else:
                    machine.listen_until(disk.dead.is_set, OPEN_S)
            except MachineError as error:
                stuck = f"the machine did not get so far: {error}"
        server.close()
        image = disk.cut(rng, kept)
        said = Acknowledged().take(machine.said)
        verdict, mended = self._opened(image, said)
        verdict.faults += [stuck] if stuck else []
        return Cut(name, moment, kept, said, verdict, disk.lost_sectors, disk.flushes - flushes, mended)

    def _opened(self, image: bytes, said: Acknowledged) -> tuple[Verdict, bytes]:
        """Mend a copy of the file system as a start does, take the files out, and let the product open them."""
        copy, files = self._work / "copy.img", self._work / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        copy.write_bytes(image)
        mended = subprocess.run(["e2fsck", "-fy", copy], check=False, capture_output=True, text=True)
        subprocess.run(["debugfs", "-R", f"rdump / {files}", copy], check=True, capture_output=True)
        try:
            verdict = judge(files, said)
        except Exception as error:  # noqa: BLE001  # whatever the product does not survive is what is looked for
            verdict = Verdict(lost_rows=said.sequence, lost_events=said.events)
            verdict.faults.append(f"cannot be opened: {type(error).__name__}: {error}")
        if mended.returncode > E2FSCK_MENDED:
            verdict.faults.append(f"e2fsck ended with {mended.returncode}: {mended.stdout[-300:]}")
        return verdict, copy.read_bytes()


class Run(NamedTuple):
    """All of it: the cuts that must lose nothing, those that must lose something, and one after a lack of memory."""

    done: list[Cut]
    controls: list[Cut]
    starved: Cut


def run(cuts: int, seed: int) -> Run:
    """Make the cuts, and the controls; prints each."""
    work = Path(tempfile.mkdtemp(prefix="tagwharf-power-"))
    try:
        began_s = time.monotonic()
        bench = Bench(work)
        _say(f"seed {seed}; booted and kept in {time.monotonic() - began_s:.0f} s\n{HEAD}")
        rng = random.Random(seed)
        moment = Moment(None, rng.uniform(0, LATEST_CUT_S))
        disk = VolatileDisk(bench.blank)
        starved = bench.cut("starved", disk, rng, moment, "starved", b"\nK 9 %d\n" % STARVED_TIMES)
        _say(str(starved))
        controls = []
        for number in range(CONTROLS):
            controls.append(bench.cut(f"never-syncs-{number}", VolatileDisk(bench.blank), rng, _late(rng), "off"))
            _say(str(controls[-1]))
            lying = VolatileDisk(bench.blank, honest=False)
            controls.append(bench.cut(f"disk-lies-{number}", lying, rng, _late(rng)))
            _say(str(controls[-1]))
        done: list[Cut] = []
        while len(done) < cuts:
            sector = SECTORS[len(done) // IN_SERIES % len(SECTORS)]
            disk = VolatileDisk(bench.blank, sector=sector)
            before: Verdict | None = None
            for _ in range(min(IN_SERIES, cuts - len(done))):
                cut = bench.cut(f"{len(done) + 1} ({sector})", disk, rng, _any(rng))
                if sector < FILE_SYSTEM_SECTOR:
                    disk = VolatileDisk(cut.mended, sector=sector)
                _compare(before, cut)
                before = cut.verdict
                done.append(cut)
                _say(str(cut))
        _say(f"{len(done)} cuts in {time.monotonic() - began_s:.0f} s")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Run(done, controls, starved)


def _late(rng: random.Random) -> Moment:
    return Moment(None, rng.uniform(*CONTROL_CUT_S))


def _any(rng: random.Random) -> Moment:
    """Most with a write, since time alone seldom meets the instant between a write and its flush."""
    if rng.random() < BY_TIME:
        return Moment(None, rng.uniform(0, LATEST_CUT_S))
    return Moment(rng.randint(1, LATEST_WRITE), 0.0)


def _compare(before: Verdict | None, cut: Cut) -> None:
    """What the guest's own start found on the disk must be what was judged to be there after the life before."""
    if before is None or cut.said.opened is None:
        return
    if cut.said.opened != (before.sequence, before.events):
        cut.verdict.faults.append(f"the guest found {cut.said.opened}, judged {(before.sequence, before.events)}")
    # A life that acknowledged nothing itself still owes what those before it had.
    cut.verdict.lost_rows = max(cut.verdict.lost_rows, before.sequence - cut.verdict.sequence)
    cut.verdict.lost_events = max(cut.verdict.lost_events, before.events - cut.verdict.events)


def checks(made: Run) -> list[Check]:
    """What must hold of a run."""
    done, controls, starved = made
    rows, events = sum(cut.said.sequence for cut in done), sum(cut.said.events for cut in done)
    lost_rows, lost_events = sum(cut.verdict.lost_rows for cut in done), sum(cut.verdict.lost_events for cut in done)
    faults = [f"cut {cut.name}: {fault}" for cut in done for fault in cut.verdict.faults]
    sectors = sum(cut.lost_sectors for cut in done)
    found = [
        Check("acknowledged batches lost from the edge journal", "= 0", f"{lost_rows} of {rows}", not lost_rows),
        Check("acknowledged events lost from the event journal", "= 0", f"{lost_events} of {events}", not lost_events),
        Check(
            "damage, ledgers out of balance, rows not as written",
            "= 0",
            "; ".join([f"{len(faults)} in {len(done)} cuts", *faults[:3]]),
            not faults,
        ),
        Check("acknowledged at all", "> 0", f"{rows} batches, {events} events", rows > 0 and events > 0),
        Check("sectors that the disk had taken and lost", "> 0", str(sectors), sectors > 0),
    ]
    killed = (
        f"{starved.said.kills} kills, {starved.verdict.lost_rows} batches, {starved.verdict.lost_events} events lost"
    )
    found.append(
        Check(
            "writers killed at their limit of memory: started again, nothing acknowledged lost",
            f"{STARVED_TIMES} kills, 0 lost",
            "; ".join([killed, *starved.verdict.faults]),
            starved.verdict.good and starved.said.kills >= STARVED_TIMES and starved.said.sequence > 0,
        )
    )
    for control in controls:
        lost = control.verdict
        measured = f"{lost.lost_rows} batches, {lost.lost_events} events lost"
        found.append(Check(f"control {control.name}", "> 0", measured, lost.lost_rows > 0 and lost.lost_events > 0))
    return found


def prove(scale: float, seed: int) -> list[Check]:
    """The proof at a part of its length, 1.0 being 100 cuts.

    Raises:
        SkippedError: the virtual machine has not been installed.
    """
    if not ROOT_TAR.exists() or shutil.which(QEMU) is None:
        raise SkippedError(f"{QEMU} or {ROOT_TAR} is not there: run `bash tests/soak/vm/install.sh` as root")
    return checks(run(max(IN_SERIES, round(CUTS * scale)), seed))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.power_cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=CUTS)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    found = checks(run(arguments.cuts, arguments.seed))
    for check in found:
        _say(f"{check.verdict:<6} {check.what} {check.bound}: {check.measured}")
    return 1 if any(check.holds is False for check in found) else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
