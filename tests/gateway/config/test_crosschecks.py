"""Faults between tables stand in `broken/`; here is what is allowed, and what is only a warning."""

from pathlib import Path

import pytest

from gateway.config.crosschecks import warnings
from gateway.config.load import load_site
from gateway.config.models import SiteFile
from readers.driver import Report
from readers.errors import ConfigError
from tests.support.card_readers import install

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


PCSC = '[[reader]]\nname = "{name}"\ndriver = "pcsc"\nport = "pcsc:{reader}"\n'


def test_two_readers_of_the_pcsc_daemon_are_two_links(tmp_path: Path) -> None:
    names = ("ACS ACR122U PICC Interface 00 00", "ACS ACR122U PICC Interface 01 00", "//[desk]", "acs acr122u")
    readers = "".join(PCSC.format(name=f"r{n}", reader=name) for n, name in enumerate(names))
    assert [reader.port.removeprefix("pcsc:") for reader in loaded(tmp_path, readers).reader] == list(names)


def test_one_reader_of_the_pcsc_daemon_is_one_link_however_its_name_is_spaced(tmp_path: Path) -> None:
    readers = PCSC.format(name="a", reader="ACR122U") + PCSC.format(name="b", reader=" ACR122U ")
    with pytest.raises(ConfigError, match=r'reader\[b\].port = "pcsc: ACR122U ": reader a is on this port already'):
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


MQTT = '[[reader]]\nname = "a"\ndriver = "zebra_iotc"\nport = "{port}"\n'


def test_a_user_and_tls_go_with_the_ports_of_brokers(tmp_path: Path) -> None:
    login, tls = 'login = { user = "gate" }\n', 'tls = { server_name = "x" }\n'
    site = loaded(tmp_path, MQTT.format(port="mqtts://10.0.0.1/t") + login + tls)
    assert site.reader[0].login is not None
    assert site.reader[0].login.password_credential == "reader-password"
    with pytest.raises(ConfigError, match=r"reader\[a\].tls: is of use with a mqtts:// port only; write port = mqtts"):
        loaded(tmp_path, MQTT.format(port="mqtt://10.0.0.1/t") + tls)
    with pytest.raises(
        ConfigError, match=r"reader\[a\].login: is of use with mqtt://, mqtts://, opc.tcp:// and https://"
    ):
        loaded(tmp_path, MQTT.format(port="tcp://10.0.0.1:1") + login)
    secret = 'login = { user = "gate", password = "canary" }\n'
    with pytest.raises(ConfigError, match=r"password = \*\*\*: .* name it here: password_credential") as caught:
        loaded(tmp_path, MQTT.format(port="mqtt://10.0.0.1/t") + secret)
    assert "canary" not in str(caught.value)


def test_tls_of_a_store_without_https_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    table = '[[sink]]\nkind = "influxdb"\nname = "store"\nurl = "{}://127.0.0.1:8086"\ntls = {{ ca_file = "ca.pem" }}\n'
    (tmp_path / "site.toml").write_text(f'[site]\nname = "hamburg"\n{table.format("http")}')
    found = [line for line in warnings(load_site(tmp_path / "site.toml")) if "tls" in line]
    assert found == ["sink[store].tls: is of no use with http://; write the url with https://"]
    (tmp_path / "site.toml").write_text(f'[site]\nname = "hamburg"\n{table.format("https")}')
    assert not [line for line in warnings(load_site(tmp_path / "site.toml")) if "tls" in line]


def test_a_password_to_a_broker_beyond_loopback_is_warned_of(tmp_path: Path) -> None:
    login = 'login = { user = "gate" }\n'
    unencrypted = "the password and all data cross the network unencrypted; use mqtts://"
    assert warnings(loaded(tmp_path, MQTT.format(port="mqtt://10.0.0.1/t") + login)) == [
        f'reader[a].port = "mqtt://10.0.0.1/t": {unencrypted}'
    ]
    for port, more in (("mqtts://10.0.0.1/t", login), ("mqtt://127.0.0.1/t", login), ("mqtt://10.0.0.1/t", "")):
        assert warnings(loaded(tmp_path, MQTT.format(port=port) + more)) == []


async def silence(report: Report) -> None:
    del report


def card_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> SiteFile:
    install(monkeypatch, silence)
    return loaded(tmp_path, '[[reader]]\nname = "door"\ndriver = "scripted_card"\nport = "tcp://127.0.0.1:1"\n' + more)


def test_card_readers_have_read_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = '[[zone]]\nname = "hall"\nread_points = ["door-in", "door-2"]\n'
    site = card_site(tmp_path, monkeypatch, 'read_points = { 1 = "door-in" }\n' + zone)
    assert site.zone[0].read_points == ["door-in", "door-2"]


def test_a_machine_has_no_read_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, silence)
    reader = '[[reader]]\nname = "scale"\ndriver = "scripted_machine"\nport = "tcp://127.0.0.1:1"\n'
    assert loaded(tmp_path, reader).reader[0].name == "scale"
    with pytest.raises(ConfigError) as caught:
        loaded(
            tmp_path,
            reader + 'read_points = { 1 = "scale-in" }\n[[zone]]\nname = "yard"\nread_points = ["scale-1"]\n',
        )
    machine = "driver scripted_machine hears a machine under its own name and has no antennas; remove this table"
    assert machine in str(caught.value)
    assert 'zone[yard].read_points[0] = "scale-1": no reader has this read point' in str(caught.value)


def test_card_readers_without_a_key_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (warning,) = warnings(card_site(tmp_path, monkeypatch))
    assert warning.startswith('cards.identity = "keyed": needs a key: ')
    assert "LoadCredential=card-key:/etc/tagwharf/card-key" in warning
    assert warning.endswith("(for the card readers door; a daemon that lacks it does not start)")
    (tmp_path / "card-key").write_text("too short")
    assert "has 9 bytes, at least 16" in warnings(card_site(tmp_path, monkeypatch))[0]
    (tmp_path / "card-key").write_text("0123456789abcdef")
    assert warnings(card_site(tmp_path, monkeypatch)) == []


def test_cards_by_number_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = card_site(tmp_path, monkeypatch, '[cards]\nidentity = "raw"\n')
    assert warnings(site) == [
        'cards.identity = "raw": card numbers are personal data, and will stand in every message and store'
    ]


def test_no_sink_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('sink = []\n[site]\nname = "hamburg"\n')
    assert "no [[sink]]: events will be published but kept nowhere" in warnings(load_site(path))
