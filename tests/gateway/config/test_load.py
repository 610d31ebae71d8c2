from pathlib import Path

import pytest

from gateway.config.load import driver_settings, load_site, state_directory
from gateway.config.models import Reader
from readers.errors import ConfigError

SHORTEST = '[site]\nname = "hamburg"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return path


def test_shortest_file_works(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, SHORTEST))
    assert site.site.gateway == "edge-1"
    assert [sink.name for sink in site.sink] == ["events"]


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(SHORTEST.replace("\n", "\r\n").encode())
    assert load_site(path).site.name == "hamburg"


def test_paths_are_relative_to_the_site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets.csv").touch()
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").touch()
    path = written(tmp_path, SHORTEST + 'assets = "assets.csv"\n[mqtt.tls]\nca_file = "tls/ca.pem"\n')
    monkeypatch.chdir("/")
    site = load_site(path)
    assert site.site.assets == tmp_path / "assets.csv"
    assert site.mqtt.tls is not None
    assert site.mqtt.tls.ca_file == tmp_path / "tls/ca.pem"


def test_files_of_look_up_tables_are_relative_to_the_site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/slots.csv").touch()
    table = '[[table]]\nname = "slots"\nfile = "lists/slots.csv"\nkey = "truck"\ncolumns = { slot = "time" }\n'
    path = written(tmp_path, SHORTEST + table)
    monkeypatch.chdir("/")
    assert load_site(path).table[0].file == tmp_path / "lists/slots.csv"


def test_a_look_up_table_has_a_file_and_a_name_of_its_own(tmp_path: Path) -> None:
    table = '[[table]]\nname = "slots"\nfile = "slots.csv"\nkey = "truck"\ncolumns = { slot = "time" }\n'
    with pytest.raises(ConfigError) as caught:
        load_site(written(tmp_path, SHORTEST + table + table))
    lines = [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]
    assert any("table[slots].file" in line and f"there is no file {tmp_path}/slots.csv" in line for line in lines)
    assert any("table[slots].name" in line and "this name is taken by another table" in line for line in lines)


def test_a_bare_file_name_may_be_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "mqtt.key").touch()
    (tmp_path / "mqtt.pem").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    tls = '[mqtt.tls]\nkey_file = "mqtt.key"\ncertificate_file = "mqtt.pem"\n'
    site = load_site(written(tmp_path, SHORTEST + tls))
    assert site.mqtt.tls is not None
    assert site.mqtt.tls.key_file == credentials / "mqtt.key"
    assert site.mqtt.tls.certificate_file == tmp_path / "mqtt.pem"


def test_a_key_that_another_service_has_as_a_credential_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "mqtt.pem").touch()
    tls = '[mqtt.tls]\nkey_file = "mqtt.key"\ncertificate_file = "mqtt.pem"\n'
    site = load_site(written(tmp_path, SHORTEST + tls))
    assert site.mqtt.tls is not None
    assert site.mqtt.tls.key_file == Path("/run/credentials/mqtt.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/tagwharf-rules.service")
    site = load_site(written(tmp_path, SHORTEST + tls))
    assert site.mqtt.tls is not None
    assert site.mqtt.tls.key_file == Path("/run/credentials/tagwharf-rules.service/mqtt.key")
    (tmp_path / "mqtt.key").touch()
    site = load_site(written(tmp_path, SHORTEST + tls))
    assert site.mqtt.tls is not None
    assert site.mqtt.tls.key_file == tmp_path / "mqtt.key"
    with pytest.raises(ConfigError, match="there is no file"):
        load_site(written(tmp_path, SHORTEST + tls.replace('"mqtt.key"', '"tls/mqtt.key"')))


def test_files_among_the_credentials_of_a_service_are_not_looked_for(tmp_path: Path) -> None:
    tls = '[mqtt.tls]\nca_file = "/run/credentials/tagwharf-edge.service/ca.pem"\n'
    assert load_site(written(tmp_path, SHORTEST + tls)).mqtt.tls is not None


def test_one_read_point_may_have_several_antennas_of_its_reader(tmp_path: Path) -> None:
    reader = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\nread_points = { 1 = "gate-in" }\n'
    zone = '[[zone]]\nname = "yard"\nread_points = ["gate-in"]\n'
    site = load_site(written(tmp_path, SHORTEST + reader + zone))
    assert site.reader[0].read_points == {1: "gate-in"}


def test_driver_settings_are_the_drivers_own_model(tmp_path: Path) -> None:
    text = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\nsettings = { rounds = 5 }\n'
    site = load_site(written(tmp_path, SHORTEST + text))
    settings = driver_settings(site.reader[0])
    assert settings.model_dump()["rounds"] == 5
    assert settings.antenna_ports() == (1,)


def test_driver_settings_name_the_reader_and_the_limit() -> None:
    reader = Reader(name="gate", driver="m100", port="/dev/ttyUSB0", settings={"rounds": 0, "tx_power_dbm": 99})
    with pytest.raises(ConfigError) as caught:
        driver_settings(reader)
    assert str(caught.value).splitlines() == [
        "site file: reader[gate].settings.tx_power_dbm = 99: must be at most 33.0",
        "site file: reader[gate].settings.rounds = 0: must be at least 1",
    ]


def test_settings_of_an_unknown_driver() -> None:
    with pytest.raises(ConfigError, match="driver 'm10' is unknown; did you mean 'm100'"):
        driver_settings(Reader(name="gate", driver="m10", port="/dev/ttyUSB0"))


def test_state_directory_of_systemd_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = load_site(written(tmp_path, SHORTEST + 'state_dir = "/srv/tagwharf"\n'))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert state_directory(site) == Path("/srv/tagwharf")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/tagwharf:/var/lib/other")
    assert state_directory(site) == Path("/var/lib/tagwharf")
