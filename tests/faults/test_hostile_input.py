"""What anybody can write into a tag or say on MQTT: stored as it is, or refused; no crash, row, point or topic more."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from gateway.contract.batches import ReadBatch
from tests.faults.test_store_away import assert_stored, credentials, settle, sinks
from tests.support.field import EchoRadio, llrp_reader, m100_reader
from tests.support.plant import SITE, Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import free_port, mosquitto
from tests.support.store_ladder import rung
from tests.support.watch import wait_until

TEXTS = [
    b"x value=1\nother,admin=1 v=1",
    b"\r\n",
    b"a,b c=d",
    b"trailing\\\\",
    b'quote"field"',
    b"\x00\x00",
    b"\xed\xa0\x80\xff",  # a lone surrogate, and no UTF-8
    b"\xc0\xaf\xc0\xae",  # overlong
    b"\xe2\x80\xaegnp.",  # right-to-left override
    b"+/#",
    b"a/../../x ",
    b"$SYS/",
    b"'; DROP TABLE reads;--",
    b"<script>alert(1)</script>",
    b'"><img src=x onerror=..>',
    b"${jndi:ldap://x}",
    b"{{7*7}}{0.__class__}",
    b"%n%s",
    b"\x1b[2J\x1b[31m",
    b"\nPRIORITY=0\n<0>x",
    b"=cmd|' /C calc'!A0",
    b"$(reboot)`id`",
    b"!!python/object:os.system",
    b'\n} 1\n# "label"',
]
LLRP_LONGEST = b"\xa5" * 62
"""31 words, the most that the PC word of Gen2 can announce."""


def even(text: bytes) -> bytes:
    return text + bytes(len(text) % 2)


EPCS = [*map(even, TEXTS), b"", LLRP_LONGEST]
M100_EPCS = [epc for epc in EPCS if epc]

DEEP = b"[" * 100_000
BAD_JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe\x00",
    DEEP,
    b'{"kind":"reads"}',
    b'{"kind":"nonsense","gateway":"edge-1"}',
    b'{"kind":"reads","gateway":"edge-1","device":"gate-1","received_at_us":NaN,"reads":[]}',
    b'{"kind":"reads","gateway":"edge-1","device":"gate-1","received_at_us":1e999,"reads":[]}',
    b'{"kind":"reads","gateway":"edge-1","device":"gate-1","received_at_us":' + b"9" * 400 + b',"reads":[]}',  # a batch
    b'{"kind":"reads","kind":"tick","gateway":"edge-1","device":"gate-1","received_at_us":1,"watched":' + DEEP,
    b'{"kind":"reads","gateway":"edge-1","device":"gate-1","received_at_us":1,"reads":[{"epc":"\\ud800"}]}',
    b"x" * 300_000,
    *TEXTS,
]
BAD_NUMBERS: list[dict[str, Any]] = [
    {"epoch": 0, "sequence": 5},
    {"epoch": -1, "sequence": 5},
    {"epoch": 1, "sequence": 0},
    {"epoch": 1, "sequence": -7},
    {"epoch": 1, "sequence": 2**63 - 1},
    {"epoch": 2**63 - 1, "sequence": 1},
    {"epoch": 1, "sequence": 1, "ordinal": -(2**62)},
    {"epoch": 1, "sequence": 1, "received_at_us": 2**63 - 1},
    {"epoch": 1, "sequence": 1, "received_at_us": -(2**63)},
]
NAMES = ["edge 1", "../edge-1", "", "A", "edge-1\n", "x" * 65, "+", "a,b=c d", "\u202eegde", "$SYS"]
TOPICS = ["gate-1/reads", "gate-1/readings", "edge-1/tick", "gate-1/status", "resume/edge-1", "a b/reads", "$SYS/reads"]
EDGE_TOPICS = ["ack/edge-1", "rules/status"]


COUNTED_WITHIN_S = 30.0


def forged(**numbers: Any) -> bytes:
    read = {"epc": "BAD0", "antenna_port": 1, "read_point": "lane-1-outer", "seen_at_us": 1}
    batch = {"kind": "reads", "gateway": "edge-1", "device": "gate-1", "received_at_us": 1, "reads": [read]}
    return json.dumps(batch | numbers).encode()


def counters(port: int, name: str) -> float:
    """The sum over all labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}(\{{| )", line))


def attack(site: Scene) -> None:
    """Say all of it on MQTT."""
    root = f"tagwharf/1/{SITE}"
    messages = [(f"{root}/{topic}", payload) for topic in TOPICS for payload in BAD_JSON]
    messages += [(f"{root}/{topic}", payload) for topic in EDGE_TOPICS for payload in BAD_JSON]
    messages += [(f"{root}/gate-1/reads", forged(**numbers)) for numbers in BAD_NUMBERS]
    messages += [(f"{root}/gate-1/reads", forged(epoch=1, sequence=1, gateway=name)) for name in NAMES]
    resume = {"gateway": "edge-1", "epoch": 1, "from_sequence": 2}
    messages += [
        (f"{root}/resume/edge-1", json.dumps(resume | change).encode())
        for change in ({"from_sequence": 2**63 - 1}, {"from_sequence": -1}, {"epoch": 0}, {"gateway": "../x"})
    ]
    messages += [(f"{root}/{'x' * 60_000}/reads", b"{}"), (f"{root}/gate-1/reads/more/levels", b"{}")]
    site.watch.say(messages)


def reached(site: Scene, port: int, name: str, least: int) -> bool:
    for process in (site.edge, site.rules):
        assert process.alive, process.log()
    return counters(port, name) >= least


def test_hostile_tags_and_payloads_change_nothing(tmp_path: Path) -> None:
    edge_port, rules_port = free_port(), free_port()
    extra = [llrp_reader("hostile", EchoRadio(EPCS)), m100_reader("hostile-desk", EchoRadio(M100_EPCS))]
    with (
        mosquitto(tmp_path / "broker", extra="message_size_limit 0") as broker,
        rung(tmp_path / "influx", "v2") as store,
        scene(
            tmp_path,
            broker,
            chosen_seed(),
            sinks=sinks(store.url),
            extra=extra,
            edge_port=edge_port,
            rules_port=rules_port,
            environment=credentials(tmp_path),
        ) as site,
    ):
        site.begin(12.0)
        time.sleep(2.0)
        heard_before = len(site.watch.topics)
        assert heard_before
        attack(site)
        for port, name, least in (
            (rules_port, "malformed_payloads_total", len(TOPICS) * (len(BAD_JSON) - 1)),
            (rules_port, "refused_batches_total", len(BAD_NUMBERS) + len(NAMES) + 1),
            (edge_port, "troubles_total", len(EDGE_TOPICS) * len(BAD_JSON)),
        ):
            wait_until(partial(reached, site, port, f"tagwharf_{name}", least), COUNTED_WITHIN_S, name)
        settle(site)

        site.watch.faults = [f for f in site.watch.faults if f.startswith("ledger/")]  # the rest is what we said
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert_stored(site, store.influx)
        heard: dict[str, Counter[str]] = {"hostile": Counter(), "hostile-desk": Counter()}
        for batch in site.evidence.batches():
            if isinstance(batch, ReadBatch) and batch.device in heard:
                heard[batch.device].update(read.epc for read in batch.reads)
        assert set(heard["hostile"]) == {epc.hex().upper() for epc in EPCS}
        assert set(heard["hostile-desk"]) == {epc.hex().upper() for epc in M100_EPCS}
        names = {row["name"] for row in store.influx.query("gate data", "SHOW MEASUREMENTS")}
        told = {"event", "alarm", "reading", "read_rate", "tag_read", "signal", "device_status"}
        assert names <= told | {"ledger", "sink", "latency", "rule_time"}
        assert site.evidence.rows("SELECT count(*) FROM tag_reads WHERE epc = 'BAD0'") == [(0,)]
        ours = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9_-]{1,64}")
        said = {f"{topic}" for topic in TOPICS} | {f"{'x' * 60_000}/reads", "gate-1/reads/more/levels"}
        assert [topic for topic in site.watch.topics - said if not ours.fullmatch(topic)] == []
        for process in (site.edge, site.rules):
            assert "\x1b[2J" not in process.whole_log()
            assert not re.search(r"^(PRIORITY=|<0>)", process.whole_log(), re.MULTILINE)
