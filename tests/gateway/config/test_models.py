import pytest
from pydantic import ValidationError

from gateway.config.models import InfluxSink, JournalSink, SiteFile
from gateway.config.rules import HoldRule, MatchRule

SITE = {"site": {"name": "hamburg"}}


def test_only_the_name_of_the_site_must_be_given() -> None:
    site = SiteFile.model_validate(SITE)
    assert site.site.gateway == "edge-1"
    assert site.mqtt.host == "127.0.0.1"
    assert site.console.host == "127.0.0.1"
    assert site.health.host == "127.0.0.1"
    assert [type(sink) for sink in site.sink] == [JournalSink]


def test_an_empty_list_of_sinks_means_none() -> None:
    assert SiteFile.model_validate({**SITE, "sink": []}).sink == []


def test_shape_and_kind_choose_the_model() -> None:
    rules = [
        {"name": "a", "on": "read", "shape": "match"},
        {"name": "b", "on": "signal", "shape": "hold", "for_s": 5},
    ]
    sinks = [{"name": "a", "kind": "journal"}, {"name": "b", "kind": "influxdb", "url": "http://127.0.0.1:8086"}]
    site = SiteFile.model_validate({**SITE, "rule": rules, "sink": sinks})
    assert [type(rule) for rule in site.rule] == [MatchRule, HoldRule]
    assert [type(sink) for sink in site.sink] == [JournalSink, InfluxSink]


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a b", "a/b", "a+", "#", "ü", "a" * 65, "a\n", "$sys"])
def test_what_may_not_become_a_topic_level(name: str) -> None:
    with pytest.raises(ValidationError):
        SiteFile.model_validate({"site": {"name": name}})


@pytest.mark.parametrize("name", ["a", "0", "gate-3_out", "a" * 64])
def test_what_may_become_a_topic_level(name: str) -> None:
    assert SiteFile.model_validate({"site": {"name": name}}).site.name == name


def test_console_cannot_leave_the_machine() -> None:
    with pytest.raises(ValidationError):
        SiteFile.model_validate({**SITE, "console": {"host": "0.0.0.0"}})


def test_every_key_is_described() -> None:
    definitions = SiteFile.model_json_schema()["$defs"]
    silent = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, field in definition.get("properties", {}).items()
        if not field.get("description") and key not in ("shape", "kind")
    ]
    assert silent == []


def test_each_daemon_has_the_user_that_is_named_for_it() -> None:
    site = SiteFile.model_validate({**SITE, "mqtt": {"user": "all", "users": {"rules": "judge"}}})
    assert [site.mqtt.of(daemon).user for daemon in ("edge", "rules", "console", "operators")] == [
        "all",
        "judge",
        "all",
        "all",
    ]
    assert SiteFile.model_validate(SITE).mqtt.of("edge").user is None
