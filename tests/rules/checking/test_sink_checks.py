from __future__ import annotations

import pytest

from gateway.config.models import SiteFile
from rules.checking.check import faults

RULES = [
    {
        "name": "heavy",
        "shape": "match",
        "on": "signal",
        "when": 'e.name == "weight" && e.value > 40.0',
        "emit": "heavy-truck",
    },
    {"name": "door", "shape": "match", "on": "signal", "when": 'e.name == "door"', "alarm": {"severity": "critical"}},
]


EXPORTS = {
    "epcis": {"gln": "4012345000009"},
    "codeco": {"un_location": "DEHAM", "sender": "TERMINAL", "receiver": "CARRIER", "terminal": "CTA"},
    "dcsa": {"un_location": "DEHAM", "facility": "CTA", "load": "laden"},
}


def of(**sink: object) -> list[str]:
    table = {"kind": "directory", "name": "out", "directory": "/srv/out", **sink}
    site = SiteFile.model_validate({"site": {"name": "port"}, "rule": RULES, "sink": [table], "exports": EXPORTS})
    return [fault.removeprefix("site.toml: sink[out].") for fault in faults(site)]


@pytest.mark.parametrize(
    "sink",
    [
        {},
        {"events": ["*"], "when": 'e.direction == "in" || e.subject == "x"'},
        {"events": ["heavy-truck", "passage", "not_judged", "state_lost"], "when": "e.at_us > 5"},
        {"events": ["state_lost"], "when": 'e.reason.contains("damaged")'},
        {"events": ["energy_gap"], "when": 'e.quantity == "active_energy_import"'},
        {"alarms": ["door", "sink_stopped", "order_failed"]},
        {"alarm_when": 'e.severity == "critical" && e.state != "cleared" && !e.escalated'},
        {"alarm_when": "e.celsius > -10.0"},  # a field of some rule
        {"format": "case", "respond_within_s": {"critical": 60}},
        {"format": "epcis", "events": ["passage"]},
        {"format": "codeco", "events": ["*"]},
        {"format": "dcsa", "events": ["*"], "when": 'e.direction == "in"'},
    ],
)
def test_what_can_be_sent(sink: dict[str, object]) -> None:
    assert of(**sink) == []


@pytest.mark.parametrize(
    ("sink", "fault"),
    [
        ({"events": ["heavy-truk"]}, "events: nothing makes such an event: 'heavy-truk'; did you mean 'heavy-truck'?"),
        ({"events": ["zzz"]}, "events: nothing makes such an event: 'zzz'; there are arrived, "),
        ({"events": ["door"]}, "events: nothing makes such an event: 'door'; "),  # it has an alarm only
        ({"alarms": ["dor"]}, "alarms: nothing raises such an alarm: 'dor'; did you mean 'door'?"),
        ({"events": ["passage"], "when": "e.zoen == 'x'"}, "when = \"e.zoen == 'x'\": e.zoen is no field here; "),
        (
            {"events": ["passage"], "when": "e.direction == 'up'"},
            "when = \"e.direction == 'up'\": e.direction is never ",
        ),
        ({"events": ["*"], "when": "e.subject > 5"}, "when = 'e.subject > 5': > compares a string with a "),
        ({"events": ["*"], "when": "false"}, "when = 'false': can never be true"),
        ({"events": ["*"], "when": "e.at_us >"}, "when = 'e.at_us >': "),
        ({"when": "e.at_us > 5"}, "when = 'e.at_us > 5': is asked of events, and this sink sends none; "),
        ({"alarm_when": "e.severity > 5"}, "alarm_when = 'e.severity > 5': > compares a string with a "),
        (
            {"alarms": [], "events": ["*"], "alarm_when": "e.ended"},
            "alarm_when = 'e.ended': is asked of alarms, and this sink sends none",
        ),
        (
            {"format": "epcis", "events": ["*"], "alarm_when": "e.ended"},
            "alarm_when = 'e.ended': is asked of alarms, and this sink sends none",
        ),
    ],
)
def test_what_would_never_be_sent(sink: dict[str, object], fault: str) -> None:
    (found,) = of(**sink)
    assert found.startswith(fault)


def test_a_condition_is_checked_once_for_all_types_of_events() -> None:
    # A field that one of them has is a field; its value is then missing in the others, which means false.
    assert of(events=["heavy-truck", "energy_gap"], when="e.elapsed_s > 5.0") == []
    (found,) = of(events=["heavy-truck", "passage"], when="e.elapsed_s > 5.0")
    assert "e.elapsed_s is no field here" in found


@pytest.mark.parametrize("wanted", ["epcis", "codeco", "dcsa"])
def test_a_format_of_others_needs_its_table(wanted: str) -> None:
    sink = {"kind": "directory", "name": "out", "directory": "/srv/out", "format": wanted, "events": ["*"]}
    exports = {name: table for name, table in EXPORTS.items() if name != wanted}
    site = SiteFile.model_validate({"site": {"name": "port"}, "sink": [sink], "exports": exports})
    assert faults(site) == [f"site.toml: sink[out].format = '{wanted}': needs the table [exports.{wanted}]; add it"]
