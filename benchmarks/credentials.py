"""Who a card belongs to, among 1.2 million enrolled ones: the time of a look-up, and the memory of the process.

A list of a million lines is imported in one process, as `tagwharf registry import` does; another opens what came of it,
as the rules daemon does, and looks cards up: enrolled ones, the parts of them that a 26-bit reader passes on, and
strangers. Times are of single look-ups, from the text in a message to the thing; memory is that of the second process.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import memory_mib
from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from readers.tagdata.cards import CardIdentity, Part, Technology, partial_of
from rules.things.listing import import_csv
from rules.things.source import load
from rules.things.thing import AMBIGUOUS, KNOWN, UNKNOWN

CARDS: Final = 1_200_000
LOOKS: Final = 20_000
IDENTITIES: Final = Identities(IdentityStyle.KEYED, b"a key for the benchmark")
NS_PER_US: Final = 1_000


def run(cards: int = CARDS, looks: int = LOOKS) -> dict[str, Any]:
    """Microseconds of a look-up and MiB of the process that makes them; seconds of import and start."""
    with tempfile.TemporaryDirectory(prefix="tagwharf-bench-") as scratch:
        directory = Path(scratch)
        write_list(directory / "cards.csv", cards)
        return {
            "cards": cards,
            **_child("import", directory, cards, looks),
            **_child("look", directory, cards, looks),
            "goal": "look_up_p99_us < 50 and rss_mib < 512",
        }


def uid(number: int) -> bytes:
    """The number of a card: seven bytes of one maker, as if drawn by lot."""
    return b"\x04" + hashlib.blake2b(number.to_bytes(4, "big"), digest_size=6).digest()


def write_list(path: Path, cards: int) -> None:
    """A list of so many persons."""
    with path.open("w") as file:
        file.write("card,name,kind,class\n")
        for number in range(cards):
            file.write(f"nfca:{uid(number).hex().upper()},Person {number:07},person,resident\n")


def _child(what: str, directory: Path, cards: int, looks: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.credentials", what, str(directory), str(cards), str(looks)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def imported(directory: Path) -> dict[str, Any]:
    """Import the list."""
    begin = time.monotonic()
    import_csv(directory / "cards.csv", directory / "cards.db", IDENTITIES)
    return {
        "import_s": time.monotonic() - begin,
        "import_peak_mib": _memory_mib("VmHWM"),
        "file_mib": (directory / "cards.db").stat().st_size / (1 << 20),
    }


def looked_up(directory: Path, cards: int, looks: int) -> dict[str, Any]:
    """Open the registry and look cards up."""
    before_mib = _memory_mib()
    begin = time.monotonic()
    things = load(directory / "cards.db", directory, IDENTITIES)
    figures: dict[str, Any] = {"load_s": time.monotonic() - begin}
    rng = random.Random(7)
    numbers = [rng.randrange(cards) for _ in range(looks)]
    enrolled = [CardIdentity(Technology.NFC_A, uid(number)) for number in numbers]
    strangers = [CardIdentity(Technology.NFC_A, uid(cards + number)) for number in numbers]
    parts = [part for card in enrolled if (part := partial_of(card, Part.LAST_24, technology=Technology.WIEGAND))]
    times_ns: list[int] = []
    for label, presented, allowed in (
        ("whole", enrolled, (KNOWN,)),
        ("partial", parts, (KNOWN, AMBIGUOUS)),
        ("unknown", strangers, (UNKNOWN,)),
    ):
        texts = [IDENTITIES.name(card) for card in presented]
        found, taken_ns = [], []
        for text in texts:
            begin_ns = time.perf_counter_ns()
            answer = things.card(text)
            taken_ns.append(time.perf_counter_ns() - begin_ns)
            found.append(answer.result)
        if not set(found) <= set(allowed):
            raise AssertionError(f"{label}: {set(found)}, not {allowed}")
        figures[f"{label}_p50_us"], figures[f"{label}_p99_us"] = _percentiles_us(taken_ns)
        if label == "partial":
            figures["partial_ambiguous_share"] = found.count(AMBIGUOUS) / len(found)
        times_ns += taken_ns
    figures["look_up_p50_us"], figures["look_up_p99_us"] = _percentiles_us(times_ns)
    figures |= {"rss_mib": _memory_mib(), "rss_before_mib": before_mib, "rss_peak_mib": _memory_mib("VmHWM")}
    return figures


def _percentiles_us(times_ns: Sequence[int]) -> tuple[float, float]:
    ordered = sorted(times_ns)
    return ordered[len(ordered) // 2] / NS_PER_US, ordered[len(ordered) * 99 // 100] / NS_PER_US


def _memory_mib(what: str = "VmRSS") -> float:
    return memory_mib(int(Path("/proc/self").readlink().name), what)


def main(arguments: Sequence[str]) -> None:
    """One of the two processes: it prints its figures."""
    what, directory, cards, looks = arguments
    path = Path(directory)
    print(json.dumps(imported(path) if what == "import" else looked_up(path, int(cards), int(looks))))


if __name__ == "__main__":
    main(sys.argv[1:])
