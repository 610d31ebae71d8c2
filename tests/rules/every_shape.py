"""A site with rules of all ten shapes, on everything that `tests.rules.test_engine.traffic` says."""

from __future__ import annotations

from gateway.config.models import SiteFile
from rules.expansion import faults
from tests.rules.test_engine import busy_site

ALARM = {"severity": "warning"}
SHAPES = ("match", "hold", "rate", "absence", "sequence", "session", "pair", "set", "travel", "binding")

RULES = [
    {"name": "crowd", "shape": "rate", "on": "read", "key": "read_point", "within_s": 3, "above": 18, "alarm": ALARM,
     "emit": "crowded"},
    {"name": "flow", "shape": "rate", "on": "read", "window": "tumbling", "within_s": 5, "function": "distinct",
     "of": "epc", "key": "device", "below": 3, "watched": ["a-1"], "emit": "thin"},
    {"name": "load", "shape": "rate", "on": "reading", "window": "session", "within_s": 9, "quiet_s": 2,
     "function": "mean", "of": "value", "key": "device"},
    {"name": "overdue", "shape": "absence", "after": {"on": "arrived", "when": "e.zone == 'a'"},
     "expect": {"on": "moved"}, "unless": {"on": "departed"}, "within_s": 4, "watched": ["a-1", "b-1"],
     "alarm": ALARM, "emit": "stuck"},
    {"name": "beat", "shape": "absence", "expect": {"on": "reading"}, "key": "device", "within_s": 6, "alarm": ALARM},
    {"name": "route", "shape": "sequence", "within_s": 12, "strict": True,
     "steps": [{"on": "arrived", "when": "e.zone == 'a'"}, {"on": "arrived", "when": "e.zone == 'b'"},
               {"on": "departed"}],
     "unless": {"on": "passage"}, "otherwise": {"emit": "off-route", "alarm": ALARM}},
    {"name": "door-use", "shape": "sequence", "key": "device", "within_s": 5,
     "steps": [{"on": "signal", "when": "e.value"}, {"on": "signal", "when": "!(e.value)"}], "emit": "door-used"},
    {"name": "visit", "shape": "session", "key": "device", "before_s": 2,
     "open": {"on": "signal", "when": "e.value"},
     "collect": {"tag": {"on": "read", "when": "e.rssi_dbm > -55.0", "pick": "most"},
                 "strong": {"on": "read", "of": "rssi_dbm", "pick": "max", "carry": ["read_point"]}},
     "require": ["tag"],
     "decide": {"emit": "decided", "after_s": 2, "settle_s": 0.5,
                "verdicts": [{"verdict": "hold", "when": "e.tag_count > 3", "reason": "several tags"}]},
     "close": {"quiet_s": 2, "within_s": 8, "on": {"on": "status"}}, "otherwise": {"emit": "visit-broken"}},
    {"name": "inside", "shape": "pair", "entry": {"on": "arrived", "when": "e.zone == 'a'"},
     "exit": {"on": "departed", "when": "e.zone == 'a'"}, "reset": {"on": "status", "when": "e.state == 'offline'"},
     "antipassback": "soft", "violation": {"emit": "odd-passage", "alarm": ALARM}, "entered": "came-in",
     "capacity": 4, "full": {"alarm": ALARM}, "longest_s": 6, "overstay": {"emit": "stays", "alarm": ALARM},
     "forget_after_s": 60},
    {"name": "present", "shape": "set", "on": "read", "group": "read_point", "duration_s": 4, "report": "additions"},
    {"name": "gone-ones", "shape": "set", "on": "read", "stable_s": 0.6, "duration_s": 5, "report": "deletions",
     "only_on_change": True},
    {"name": "too-fast", "shape": "travel", "on": "read", "key": "epc", "fastest_m_per_s": 10, "reach_m": 5,
     "clocks_differ_s": 0.5, "again_after_s": 3, "forget_after_s": 7, "alarm": ALARM, "emit": "two-of-one",
     "spots": {"a": {"x_m": 0, "y_m": 0, "covers": ["a-1", "a-2"]}, "b": {"x_m": 30, "y_m": 0, "covers": ["b-1"]},
               "lone": {"x_m": 30, "y_m": 40, "width_m": 5}, "gate": {"covers": ["g-in", "g-out"]}},
     "ways": [{"between": ["gate", "a"], "least_s": 2.5}]},
    {"name": "rooted", "shape": "binding", "on": "read", "key": "epc", "of": "read_point", "again_after_s": 5,
     "forget_after_s": 6, "alarm": ALARM, "emit": "uprooted"},
    {"name": "crowd-stays", "shape": "rate", "on": "crowded", "key": "device", "within_s": 10, "above": 1,
     "emit": "crowd-again"},
]  # fmt: skip
"""Beside those of `busy_site`, which are of `match` and `hold`; the last looks at what another rule makes."""


def every_shape() -> SiteFile:
    """The site; it is sound."""
    busy = busy_site()
    whole = SiteFile.model_validate({**busy.model_dump(exclude_defaults=True, mode="json"), "rule": [
        *busy.model_dump(mode="json", exclude_defaults=True)["rule"], *RULES,
    ]})  # fmt: skip
    assert faults(whole) == []
    assert {rule.shape for rule in whole.rule} == set(SHAPES)
    return whole
