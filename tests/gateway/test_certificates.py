from __future__ import annotations

import asyncio
import ssl
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.certificates import (
    EXPIRING,
    MOST_CERTIFICATES,
    Certificates,
    edge_certificates,
    rules_certificates,
)
from gateway.config.models import SiteFile
from gateway.contract.batches import Condition
from gateway.health import Health
from tests.support.pki import DAY, Authority, now

HOUR = timedelta(hours=1)


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at.timestamp()


def told(found: list[Condition]) -> list[tuple[str, str]]:
    assert all(each.name == EXPIRING for each in found)
    return [(each.key, each.severity) for each in found]


def troubles(health: Health) -> float:
    return sum(
        health.registry.get_sample_value("tagwharf_troubles_total", {"event": EXPIRING, "level": level}) or 0
        for level in ("warning", "error")
    )


def test_a_certificate_of_a_year_is_told_at_30_and_7_days_and_at_its_end_until_it_is_renewed(tmp_path: Path) -> None:
    authority, clock, health = Authority(tmp_path), Clock(now()), Health("test")
    ends = now() + 365 * DAY
    path = authority.issue("us", begins=now(), ends=ends)
    watch = Certificates(health, own={"mqtt.certificate_file": path}, authorities={}, now=clock)
    expected = [
        (31 * DAY, None),
        (30 * DAY, "warning"),
        (8 * DAY, "warning"),
        (7 * DAY, "fault"),
        (HOUR, "fault"),
        (-HOUR, "fault"),
    ]
    for before, severity in expected:
        clock.at = ends - before
        found = watch.look()
        assert told(found) == ([("mqtt.certificate_file", severity)] if severity else [])
        assert watch.conditions() == found
        assert watch.look() == found  # the same until it changes: nobody is told twice
    assert f"ended on {ends:%Y-%m-%d %H:%M} UTC; renew {path}" in found[0].detail
    assert troubles(health) == 3
    value = health.registry.get_sample_value("tagwharf_certificate_days_left", {"certificate": "mqtt.certificate_file"})
    assert value == pytest.approx(-1 / 24, abs=0.001)
    authority.issue("us", begins=now(), ends=ends + 365 * DAY)
    assert watch.look() == watch.conditions() == []


def test_a_certificate_of_a_day_is_not_told_from_its_first_hour_on(tmp_path: Path) -> None:
    authority, clock = Authority(tmp_path), Clock(now())
    path = authority.issue("us", begins=now(), ends=now() + 24 * HOUR)
    watch = Certificates(Health("test"), own={"a": path}, authorities={}, now=clock)
    begin = clock.at
    for after, severity in ((15 * HOUR, []), (17 * HOUR, ["warning"]), (21 * HOUR, ["fault"])):
        clock.at = begin + after
        assert [each.severity for each in watch.look()] == severity


def test_the_earliest_of_a_chain_and_the_latest_of_the_authorities_count(tmp_path: Path) -> None:
    authority, clock = Authority(tmp_path), Clock(now())
    short = authority.issue("short", begins=now() - 90 * DAY, ends=now() + 5 * DAY).read_text()
    long = authority.issue("long", ends=now() + 90 * DAY).read_text()
    both = tmp_path / "both.pem"
    both.write_text(f"a comment\n{long}\n{short}")
    watch = Certificates(Health("test"), own={"own": both}, authorities={"ca": both}, now=clock)
    assert told(watch.look()) == [("own", "fault")]
    days = watch.days_left()
    assert days["own"] == pytest.approx(5, abs=0.01)
    assert days["ca"] == pytest.approx(90, abs=0.01)


def test_a_file_in_der_is_read_too_and_nonsense_is_told(tmp_path: Path) -> None:
    health = Health("test")
    path = Authority(tmp_path).issue("us")
    (tmp_path / "us.der").write_bytes(ssl.PEM_cert_to_DER_cert(path.read_text()))
    (tmp_path / "none").write_text("none")
    watch = Certificates(health, own={"der": tmp_path / "us.der", "none": tmp_path / "none"}, authorities={})
    assert watch.look() == []
    assert watch.days_left().keys() == {"der"}
    labels = {"event": "certificate_unreadable", "level": "warning"}
    assert health.registry.get_sample_value("tagwharf_troubles_total", labels) == 1


def test_what_a_server_shows_is_told_and_ends_with_its_renewal(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    watch = Certificates(Health("test"), own={}, authorities={})
    show = watch.shown_as("mqtt.server")
    show(ssl.PEM_cert_to_DER_cert(authority.issue("b", begins=now() - 90 * DAY, ends=now() + 5 * DAY).read_text()))
    (condition,) = watch.look()
    assert condition.key == "mqtt.server"
    assert "have it renewed on that side" in condition.detail
    show(ssl.PEM_cert_to_DER_cert(authority.issue("b").read_text()))
    assert watch.look() == []
    show(b"no certificate")
    assert watch.days_left().keys() == {"mqtt.server"}


def test_the_number_of_servers_is_bounded(tmp_path: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert(Authority(tmp_path).issue("b").read_text())
    watch = Certificates(Health("test"), own={}, authorities={})
    for number in range(MOST_CERTIFICATES + 5):
        watch.shown_as(f"reader.{number}.server")(der)
    assert len(watch.days_left()) == MOST_CERTIFICATES


def test_a_file_that_cannot_be_read_is_told_once_and_what_was_known_stays(tmp_path: Path) -> None:
    authority, health = Authority(tmp_path), Health("test")
    path = authority.issue("us", begins=now() - 90 * DAY, ends=now() + 5 * DAY)
    watch = Certificates(health, own={"us": path}, authorities={})
    assert len(watch.look()) == 1
    path.unlink()
    for _ in range(3):
        assert len(watch.look()) == 1
    labels = {"event": "certificate_unreadable", "level": "warning"}
    assert health.registry.get_sample_value("tagwharf_troubles_total", labels) == 1


def test_it_looks_until_it_is_cancelled(tmp_path: Path) -> None:
    path = Authority(tmp_path).issue("us", begins=now() - 90 * DAY, ends=now() + 5 * DAY)
    watch = Certificates(Health("test"), own={"us": path}, authorities={})
    heard: list[list[Condition]] = []

    async def main() -> None:
        running = asyncio.create_task(watch.run(heard.append))
        async with asyncio.timeout(20):
            while not heard:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert told(heard[0]) == [("us", "fault")]


def test_each_daemon_watches_what_it_holds(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    us = {"ca_file": authority.file, "certificate_file": authority.issue("us"), "key_file": tmp_path / "us.key"}
    reader = {"name": "gate-3", "driver": "llrp", "port": "tls://reader.test", "tls": us}
    plain = {"name": "gate-4", "driver": "llrp", "port": "tcp://reader.test"}
    sinks = [
        {"kind": "journal", "name": "events"},
        {"kind": "influxdb", "name": "store", "url": "https://store.test", "tls": us},
        {
            "kind": "webhook",
            "name": "desk",
            "url": "https://desk.test",
            "events": ["*"],
            "tls": {"ca_file": us["ca_file"]},
        },
    ]
    site = SiteFile.model_validate(
        {
            "site": {"name": "hamburg"},
            "mqtt": {"tls": us},
            "console": {"tls": {"certificate_file": us["certificate_file"], "key_file": us["key_file"]}},
            "reader": [reader, plain],
            "sink": sinks,
        }
    )
    edge, rules = edge_certificates(site, Health("edge")), rules_certificates(site, Health("rules"))
    edge.look()
    rules.look()
    kinds = ("ca_file", "certificate_file")
    assert edge.days_left().keys() == {f"{at}.{kind}" for at in ("mqtt", "reader.gate-3") for kind in kinds}
    wanted = {f"{at}.{kind}" for at in ("mqtt", "sink.store") for kind in kinds}
    assert rules.days_left().keys() == wanted | {"sink.desk.ca_file", "console.certificate_file"}
