"""Faults between tables stand in `broken/`; here is what is allowed, and what is only a warning."""

from pathlib import Path

import pytest

from gateway.config.crosschecks import warnings
from gateway.config.load import load_site
from gateway.config.models import SiteFile
from readers.errors import ConfigError

READER = '[[reader]]\nname = "{name}"\ndriver = "m100"\nport = "{port}"\n'


def loaded(tmp_path: Path, text: str) -> SiteFile:
    path = tmp_path / "site.toml"
    path.write_text('[site]\nname = "hamburg"\n' + text)
    return load_site(path)


def test_zone_may_unite_read_points_of_several_readers(tmp_path: Path) -> None:
    readers = READER.format(name="a", port="/dev/ttyUSB0") + READER.format(name="b", port="tcp://10.0.0.1:4001")
    site = loaded(tmp_path, readers + '[[zone]]\nname = "a-1"\nread_points = ["a-1", "b-1"]\n')
    assert site.zone[0].read_points == ["a-1", "b-1"]


def test_two_ports_of_one_device_server_are_two_links(tmp_path: Path) -> None:
    readers = "".join(READER.format(name=f"r{n}", port=f"socket://10.0.0.1:{n}") for n in (4001, 4002))
    assert len(loaded(tmp_path, readers).reader) == 2


def test_two_names_of_one_serial_line_are_one_link(tmp_path: Path) -> None:
    readers = READER.format(name="a", port="/dev/null") + READER.format(name="b", port="serial:///dev/../dev/null")
    with pytest.raises(ConfigError, match="reader a is on this port already"):
        loaded(tmp_path, readers)


def test_nothing_to_warn_of_on_loopback(tmp_path: Path) -> None:
    sink = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:8086"\n'
    assert warnings(loaded(tmp_path, READER.format(name="a", port="/dev/ttyUSB0") + sink)) == []


def test_unencrypted_links_beyond_loopback_are_warned_of(tmp_path: Path) -> None:
    text = (
        '[mqtt]\nhost = "broker.example"\n[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.evil.example"\n'
    )
    unencrypted = "the token and all data cross the network unencrypted; use https:// or a tunnel"
    assert warnings(loaded(tmp_path, text)) == [
        f'sink[main].url = "http://127.evil.example": {unencrypted}',
        'mqtt.host = "broker.example": the password and all data cross the network unencrypted; add a [mqtt.tls] table',
        "no [[reader]]: this edge daemon will read nothing",
    ]


def test_no_sink_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('sink = []\n[site]\nname = "hamburg"\n')
    assert "no [[sink]]: events will be published but kept nowhere" in warnings(load_site(path))
