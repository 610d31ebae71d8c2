"""A site with a gate, a car park, a portal and a weighbridge, and what happens there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.config.load import load_site
from gateway.config.models import SiteFile
from gateway.contract.events import Event, Evidence, Scalar
from tests.gateway.journal_rows import NOON_US, event_row, journal

S = 1_000_000
HOUR_US = 3_600 * S
TRUCK = "544B68A350F42E67669F00B2"
CONTAINER = "54570AD3D5123B19F7F18E11"
SITE = """
[[reader]]
name = "gate-tags"
driver = "llrp"
port = "tcp://127.0.0.1:5084"
read_points = { 1 = "gate-in-tags", 2 = "outer", 3 = "inner" }

[[reader]]
name = "gate-io"
driver = "modbus_io"
port = "socket://127.0.0.1:502"

[[reader.settings.modules]]
inputs = [{ name = "loop", address = 0 }, { name = "car-loop", address = 1 }]
outputs = [{ name = "barrier", address = 0, initial = false, pulse_s = 1.0 }]

[[reader]]
name = "scale"
driver = "weighbridge"
port = "socket://127.0.0.1:4001"
settings = { format = "toledo" }

[[reader]]
name = "entry-card"
driver = "ascii_line"
port = "socket://127.0.0.1:4002"
read_points = { 1 = "car-park-entry" }
settings = { format = "line", card = { technology = "nfca", base = "hex" } }

[[reader]]
name = "exit-card"
driver = "ascii_line"
port = "socket://127.0.0.1:4003"
read_points = { 1 = "car-park-exit" }
settings = { format = "line", card = { technology = "nfca", base = "hex" } }

[[portal]]
name = "portal-1"
outer = ["outer"]
inner = ["inner"]

[[pack]]
name = "gate"
kind = "port"
settings.weighing = { tolerance_percent = 2 }

[[pack.settings.lane]]
name = "gate-in"
direction = "in"
arrives = { device = "gate-io", name = "loop" }
read_points = ["gate-in-tags"]
scale = "scale"

[[pack]]
name = "car-park"
kind = "parking"

[[pack.settings.lane]]
name = "lane-in"
direction = "entry"
read_points = ["car-park-entry"]
loop = { device = "gate-io", signal = "car-loop" }

[[pack.settings.lane]]
name = "lane-out"
direction = "exit"
read_points = ["car-park-exit"]

[[rule]]
name = "weighed"
shape = "match"
on = "signal"
when = 'e.device == "scale" && e.name == "stable_weight"'
emit = "truck-weighed"

[[rule]]
name = "desk"
shape = "session"
emit = "desk-closed"
open = { on = "signal", when = 'e.name == "eye" && e.value' }
places = { desk-1 = ["eye-1", "desk-tags"] }

[rule.collect]
pallet = { on = "read", key = "read_point", of = "epc" }

[rule.decide]
emit = "desk-decision"
verdicts = [{ verdict = "stop", when = "e.missing_count > 0", reason = "No pallet" }]

[control]
enabled = true

[[control.person]]
name = "gate-rules"
key_credential = "control-gate-rules"
roles = ["gate"]

[[control.point]]
device = "gate-io"
point = "barrier"
actions = ["pulse"]
roles = ["gate"]
two_steps = false

[[order]]
name = "raise"
on = "gate-decision"
when = 'e.verdict == "open"'
device = "gate-io"
point = "barrier"
action = "pulse"
person = "gate-rules"

[[order]]
name = "raise-far"
on = "gate-decision"
gateway = "edge-2"
device = "far-io"
point = "barrier"
action = "pulse"
person = "gate-rules"
"""


def port_site(directory: Path) -> SiteFile:
    config = directory / "site.toml"
    config.write_text(f'[site]\nname = "site"\nstate_dir = "{directory}"\n{SITE}')
    return load_site(config)


def made(
    number: int, at_us: int, type_: str = "gate-decision", fields: dict[str, Scalar] | None = None, **more: str
) -> Event:
    found = Event(
        id=f"{number:020x}",
        type=type_,
        at_us=at_us,
        subject=more.pop("subject", "gate-in"),
        evidence=Evidence(gateway="edge-1", epoch=3, sequence_from=10, sequence_to=20, reads=34),
        fields=fields or {},
    )
    return msgspec.structs.replace(found, **more)


def decided(number: int, at_us: int, verdict: str = "open", **fields: Scalar) -> Event:
    return made(
        number, at_us, fields={"opened_at_us": at_us - 2 * S, "decided_at_us": at_us, "verdict": verdict, **fields}
    )


def keep(directory: Path, events: Sequence[Event], now_us: int = NOON_US) -> Path:
    """Put events into the event journal of the site in `directory`; returns where that is."""
    kept = journal(directory / "events", now_us)
    assert kept.append([{"events": [event_row(event) for event in events]}]) == []
    kept.close()
    return directory / "events"
