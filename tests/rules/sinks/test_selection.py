from __future__ import annotations

from gateway.config.sinks import DirectorySink
from rules.sinks.selection import ALARM_FIELDS, Selection, alarm_fields, state_of
from tests.rules.sinks.told import AT_US, alarm, event


def selection(**more: object) -> Selection:
    return Selection(DirectorySink.model_validate({"kind": "directory", "name": "x", "directory": "/x", **more}))


def test_events_are_chosen_by_their_type_and_a_condition() -> None:
    chosen = selection(events=["truck-in", "truck-out"], when='e.zone == "lane-1" && e.weight_kg > 1000.0')
    heavy = {"weight_kg": 2000.0}
    assert chosen.wants_event(event(zone="lane-1", fields=heavy))
    assert chosen.wants_event(event(kind="truck-out", zone="lane-1", fields=heavy))
    assert not chosen.wants_event(event(kind="arrived", zone="lane-1", fields=heavy))
    assert not chosen.wants_event(event(zone="lane-2", fields=heavy))
    assert not chosen.wants_event(event(zone="lane-1"))  # missing means false


def test_without_a_word_no_event_and_every_alarm_is_sent() -> None:
    chosen = selection()
    assert not chosen.wants_event(event())
    assert chosen.wants_alarm(alarm())
    assert chosen.wants_alarm(alarm(rule="sink_stopped"))


def test_all_events() -> None:
    chosen = selection(events=["*"], alarms=[])
    assert chosen.wants_event(event(kind="whatever"))
    assert not chosen.wants_alarm(alarm())


def test_alarms_are_chosen_by_their_rule_and_a_condition() -> None:
    chosen = selection(alarms=["reefer-warm"], alarm_when='e.severity == "critical" && e.celsius > -10.0')
    assert chosen.wants_alarm(alarm(fields={"celsius": -5.0}))
    assert not chosen.wants_alarm(alarm(fields={"celsius": -15.0}))
    assert not chosen.wants_alarm(alarm(fields={"celsius": -5.0}, severity="warning"))
    assert not chosen.wants_alarm(alarm(fields={"celsius": -5.0}, rule="door"))
    assert not chosen.wants_alarm(alarm())


def test_a_case_is_never_an_event_and_an_export_never_an_alarm() -> None:
    assert not selection(format="case").wants_event(event())
    assert selection(format="case").wants_alarm(alarm())
    assert selection(format="epcis", events=["*"]).wants_event(event())
    assert not selection(format="epcis", events=["*"]).wants_alarm(alarm())


def test_states_of_an_alarm() -> None:
    seen = {"acknowledged_by": "kim", "acknowledged_at_us": AT_US}
    assert state_of(alarm()) == "raised"
    assert state_of(alarm(ended=True)) == "raised"
    assert state_of(alarm(**seen)) == "acknowledged"
    assert state_of(alarm(**seen, state="cleared")) == "cleared"


def test_fields_of_an_alarm_are_those_that_conditions_are_checked_against() -> None:
    full = alarm(acknowledged_by="kim", acknowledged_at_us=AT_US, comment="on my way", comment_by="kim")
    assert alarm_fields(full).keys() == ALARM_FIELDS.keys()
    kinds = {"string": str, "int": int, "bool": bool}
    assert all(type(value) is kinds[ALARM_FIELDS[name]] for name, value in alarm_fields(full).items())
    assert alarm_fields(alarm()).keys() == ALARM_FIELDS.keys() - {"acknowledged_by", "comment", "comment_by"}


def test_fields_of_the_rule_do_not_hide_those_of_the_alarm() -> None:
    fields = alarm_fields(alarm(fields={"severity": "none", "celsius": -5.0, "absent": None}))
    assert (fields["severity"], fields["celsius"]) == ("critical", -5.0)
    assert "absent" not in fields
