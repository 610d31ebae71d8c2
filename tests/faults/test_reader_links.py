"""Bad links to readers, reset in the middle of frames, half-open, dripping, corrupt: the gateway recovers."""

from __future__ import annotations

import random
import time
import urllib.request
from pathlib import Path

from gateway.contract.batches import ReadBatch
from simulator.faults import Fault, Kind, Plan, Towards, script
from tests.support.field import CountingRadio, EchoRadio, llrp_reader, m100_reader
from tests.support.plant import Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import free_port, mosquitto
from tests.support.watch import wait_until

KEEPALIVE_S = 2.0
DETECTED_WITHIN_S = 2.5 * KEEPALIVE_S + 5.0
"""Two and a half keepalives by the settings of the driver, and what a slow machine adds."""
TRAFFIC_S = 24.0
"""After four attempts that failed at once the fifth comes after 15 s at most."""
AGAIN_WITHIN_S = 40.0
"""Until a reader that was lost is read again: it must notice, too, and attempts to connect come ever more rarely."""


def cuts(rng: random.Random, count: int) -> Plan:
    """Connections that are reset or end at any byte, then sound ones: set-up is some 1,500 bytes, the rest reports."""
    kinds = (Kind.RESET, Kind.CUT)
    return script(*[[Fault(rng.choice(kinds), at_byte=rng.randrange(10, 4_000))] for _ in range(count)])


def flips(rng: random.Random, within_bytes: int, count: int) -> list[Fault]:
    """Single bits that turn over, far apart, on the way to the gateway."""
    places = sorted(rng.sample(range(0, within_bytes, 64), count))
    return [Fault(Kind.CORRUPT, Towards.CLIENT, at_byte=at + rng.randrange(40)) for at in places]


def rejected(port: int) -> dict[str, float]:
    """What the edge threw away so far, by reader."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith("tagwharf_rejected_total{"):
            reader = line.split('reader="')[1].split('"')[0]
            found[reader] = found.get(reader, 0) + float(line.rsplit(" ", 1)[1])
    return found


def epcs_of(site: Scene, device: str) -> list[str]:
    batches = site.evidence.batches()
    return [read.epc for b in batches if isinstance(b, ReadBatch) and b.device == device for read in b.reads]


def test_links_that_break_drip_and_garble(tmp_path: Path) -> None:
    seed = chosen_seed()
    rng = random.Random(seed)
    tags = [rng.randbytes(12) for _ in range(20)]
    known = {tag.hex().upper() for tag in tags}
    metrics = free_port()
    plans: dict[str, Plan] = {
        "counter": cuts(rng, 4),
        "dripping": script([Fault(Kind.DRIP, at_byte=3_000, seconds=0.001)]),
        "trickling": script([Fault(Kind.DRIP, at_byte=2_000, seconds=1.0)]),
        "flipping": script(*[flips(rng, 60_000, 10) for _ in range(8)]),
        "noisy": script([*flips(rng, 60_000, 200), Fault(Kind.DROP, at_byte=9_000, length=7)]),
        "substation": script([*flips(rng, 40_000, 80), Fault(Kind.DROP, at_byte=3_000, length=5)]),
        "gate-2": script([Fault(Kind.JITTER, at_byte=1, seconds=0.05)]),
    }
    extra = [
        llrp_reader("dripping", EchoRadio(tags, 200_000), keepalive_s=KEEPALIVE_S),
        llrp_reader("trickling", EchoRadio(tags, 100_000), keepalive_s=KEEPALIVE_S),
        llrp_reader("flipping", EchoRadio(tags), keepalive_s=KEEPALIVE_S),
        m100_reader("noisy", EchoRadio(tags)),
    ]
    with (
        mosquitto(tmp_path / "broker") as broker,
        scene(
            tmp_path,
            broker,
            seed,
            keepalive_s=KEEPALIVE_S,
            extra=extra,
            plans=plans,
            edge_port=metrics,
        ) as site,
    ):
        site.begin(TRAFFIC_S, online=["gate-1", "gate-2", "booth"])
        time.sleep(TRAFFIC_S - 1)
        thrown_away = rejected(metrics)
        site.settle()
        # A flip in a time of LLRP, which has no checksum, makes a read that no day file takes: refused, and counted.
        site.assert_exactly_once(refused_reads=True)

        connections = {name: proxy.connections for name, proxy in site.field.proxies.items()}
        states = {name: [told.state for _, told in told] for name, told in site.watch.statuses.items()}
        # Cut links: four were lost, the fifth holds; what arrived is what the radio sent, in order and once.
        assert connections["counter"] >= 5, connections
        numbers = site.evidence.counted(site.field.counting)
        assert len(numbers) == len(set(numbers))
        assert numbers
        assert numbers[-1] == site.field.counting.numbers()[-1]
        # A slow link is a link; one byte a second is none, and the next connection reads.
        assert connections["dripping"] == 1
        assert connections["trickling"] == 2, states["trickling"]
        # A checksum stands between noise and an EPC; LLRP has none, so only a flip inside an EPC passes, and as itself.
        assert set(epcs_of(site, "noisy")) == known
        assert thrown_away["noisy"] >= 20
        flipped = [epc for epc in epcs_of(site, "flipping") if epc not in known]
        assert len(flipped) <= 10 * connections["flipping"]
        assert all(min(distance(epc, tag) for tag in known) == 1 for epc in flipped), flipped
        for name in ("dripping", "trickling", "flipping"):
            assert set(epcs_of(site, name)) >= known, name
        found = site.evidence.compare(site.field.truth["passages"])
        assert found["passages"] >= 2
        assert (found["detected"], found["wrong_direction"], found["ghosts"]) == (found["passages"], 0, 0), found


def distance(one: str, other: str) -> int:
    """Bits that differ."""
    if len(one) != len(other):
        return 8 * max(len(one), len(other))
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_a_half_open_link_is_found_by_its_silence(tmp_path: Path) -> None:
    plain = CountingRadio(50.0, b"\x30\x74\xfe\xed")
    extra = [llrp_reader("plain", plain, identity="zebra", keepalive_s=KEEPALIVE_S)]
    with (
        mosquitto(tmp_path / "broker") as broker,
        scene(tmp_path, broker, chosen_seed(), keepalive_s=KEEPALIVE_S, extra=extra) as site,
    ):
        site.begin(60.0)
        plain.begin(site.field.counting.from_us, site.field.counting.until_us)
        time.sleep(2.0)
        struck_s = time.monotonic()
        for reader in ("counter", "plain"):
            site.field.strike(reader, Kind.BLACKHOLE)
        for reader in ("counter", "plain"):
            wait_until(
                lambda reader=reader: site.watch.reached(reader, "offline", struck_s),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                DETECTED_WITHIN_S,
                site.edge.log,
            )
        assert site.watch.reached("gate-1", "offline", struck_s) is None
        # The Impinj reader watches its link, too. This other one holds on to its dead session, until it is cut off.
        wait_until(lambda: said(site, "plain", "another_client"), AGAIN_WITHIN_S, site.edge.log)
        site.field.strike("plain", Kind.CUT)
        for reader in ("counter", "plain"):
            offline_s = site.watch.reached(reader, "offline", struck_s) or 0.0
            wait_until(
                lambda reader=reader, after_s=offline_s: site.watch.reached(reader, "online", after_s),  # type: ignore[misc]  # the same
                AGAIN_WITHIN_S,
                site.edge.log,
            )
        took_s = time.monotonic() - struck_s
        print(f"read again after {took_s:.1f} s")  # noqa: T201  # how long a reader was lost
        time.sleep(2.0)
        now_us = time.time_ns() // 1000
        site.field.stop_traffic()
        site.settle()
        site.assert_exactly_once()
        for name, radio in (("counter", site.field.counting), ("plain", plain)):
            numbers = site.evidence.counted(radio, name)
            assert len(numbers) == len(set(numbers))
            assert radio.read(numbers[-1]).at_us > now_us - 1_000_000


def said(site: Scene, device: str, reason: str) -> bool:
    return any(told.reason == reason for _, told in site.watch.statuses[device])
