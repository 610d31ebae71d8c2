from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.config.models import InfluxApi, InfluxSink, SiteFile
from gateway.init.answers import Answers, SiteKind
from gateway.init.devices import FoundReader
from gateway.init.site_text import WIDTH, site_text
from readers.driver import Kind

LLRP = FoundReader("llrp-1", "llrp", "tcp://10.0.0.7", "10.0.0.7 listens", is_ready=True, kind=Kind.RFID)
USB = FoundReader("line-1", "a0", "/dev/serial/by-id/usb-1", "FTDI", is_ready=False, choices=("a0", "m100"))
METERS = FoundReader("dlt645-1", "dlt645", "/dev/serial/by-id/usb-2", "FTDI", is_ready=False, kind=Kind.METER)
SINK = InfluxSink(kind="influxdb", name="main", url="http://127.0.0.1:8086", api=InfluxApi.V1, user="tagwharf")


def answers(kind: SiteKind = SiteKind.OTHER, broker: dict[str, object] | None = None) -> Answers:
    return Answers.model_validate({"site": {"name": "hamburg", "kind": kind}, "broker": broker or {}})


def loaded(tmp_path: Path, text: str) -> SiteFile:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return load_site(path)


def switched_on(text: str) -> str:
    """Every setting that waits for a person, switched on."""
    return re.sub(r"^#(?=[^ #])", "", text, flags=re.MULTILINE)


def test_the_smallest_file(tmp_path: Path) -> None:
    text = site_text(answers(), None, None, [])
    site = loaded(tmp_path, text)
    assert (site.site.name, site.site.gateway, site.mqtt.port, site.mqtt.user) == ("hamburg", "edge-1", 1883, None)
    assert "No device was found" in text


def test_what_was_found_and_answered_stands_there(tmp_path: Path) -> None:
    broker: dict[str, object] = {"where": "elsewhere", "host": "broker.port.example", "port": 8883, "user": "edge-1"}
    site = loaded(tmp_path, site_text(answers(broker=broker), "edge-1", SINK, [LLRP, USB, METERS]))
    assert (site.mqtt.host, site.mqtt.port, site.mqtt.user) == ("broker.port.example", 8883, "edge-1")
    assert [(each.name, each.driver, each.port) for each in site.reader] == [("llrp-1", "llrp", "tcp://10.0.0.7")]
    assert [sink.name for sink in site.sink] == ["events", "main"]
    assert site.sink[1] == SINK


def test_an_authority_of_the_broker_is_named_by_its_whole_path(tmp_path: Path) -> None:
    broker: dict[str, object] = {"where": "elsewhere", "host": "b", "ca_file": tmp_path / "ca.pem"}
    text = site_text(answers(broker=broker), None, None, [LLRP])
    assert tomllib.loads(text)["mqtt"]["tls"] == {"ca_file": str(tmp_path / "ca.pem")}


def test_a_reader_that_needs_a_person_is_a_comment_with_what_to_do() -> None:
    text = site_text(answers(), None, None, [USB, METERS])
    assert "reader" not in tomllib.loads(text)
    assert "# What hangs on it? Choose its driver, `tagwharf readers DRIVER`: a0, m100.\n" in text
    assert "# It needs settings, which `tagwharf readers dlt645` lists; then switch it on.\n" in text
    assert '#port = "/dev/serial/by-id/usb-2"\n' in text
    assert [each["name"] for each in tomllib.loads(switched_on(text))["reader"]] == ["line-1", "dlt645-1"]


def test_every_setting_is_explained_by_its_model() -> None:
    lines = site_text(answers(), "tagwharf", SINK, [LLRP, USB]).splitlines()
    assert f"# {SiteFile.model_fields['site'].annotation.model_fields['name'].description}" in lines  # type: ignore[union-attr]  # it is a model
    assert max(map(len, lines)) <= WIDTH + 2


def test_what_a_device_calls_itself_cannot_add_a_setting() -> None:
    evil = FoundReader("llrp-1", "llrp", "tcp://10.0.0.7", 'x\n[control]\nenabled = true\n"', is_ready=True)
    assert "control" not in tomllib.loads(site_text(answers(), None, None, [evil]))


@pytest.mark.parametrize("kind", list(SiteKind))
@pytest.mark.parametrize("readers", [[], [LLRP], [LLRP, USB]], ids=["none", "one", "two"])
def test_the_example_of_each_kind_works_when_it_is_switched_on(
    tmp_path: Path, kind: SiteKind, readers: list[FoundReader]
) -> None:
    text = site_text(answers(kind), None, None, readers)
    plain = loaded(tmp_path, text)
    assert [each.name for each in plain.reader] == [each.name for each in readers if each.is_ready]
    whole = (
        switched_on(text) if kind is not SiteKind.POWER_ROOM else switched_on(site_text(answers(kind), None, None, []))
    )
    site = loaded(tmp_path, whole)
    assert (len(site.pack) + len(site.portal) > 0) == (kind is not SiteKind.OTHER)
