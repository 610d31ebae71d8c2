"""A secret comes by a systemd credential or not at all: in the site file or the environment it stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from gateway.config.load import load_site
from readers.credentials import credential
from readers.errors import ConfigError

CANARY: Final = "canary-7f3a91c2d4"
SITE: Final = '[site]\nname = "harbour"\n'
READER: Final = SITE + '[[reader]]\nname = "gate"\ndriver = "llrp"\nport = "tcp://127.0.0.1:1"\n'
SINK: Final = SITE + '[[sink]]\nkind = "influxdb"\nname = "main"\nbucket = "b"\n'


@pytest.mark.parametrize(
    "text",
    [
        SITE + f'[mqtt]\npassword = "{CANARY}"\n',
        SITE + f'[mqtt]\nuser = "edge"\nsecret = "{CANARY}"\n',
        SITE + f'[cards]\nkey_secret = "{CANARY}"\n',
        READER + f'login = {{ user = "a", password = "{CANARY}" }}\n',
        READER + f'settings = {{ access_password = "{CANARY}" }}\n',
        SINK + f'url = "http://127.0.0.1:8086"\ntoken = "{CANARY}"\n',
        SINK + f'url = "http://me:{CANARY}@127.0.0.1:8086"\n',
        SITE + f'[[control.person]]\nname = "anna"\nkey_secret = "{CANARY}"\n',
        SITE + f'[[console.user]]\nname = "eve"\nrole = "viewer"\npassword = "{CANARY}"\n',
        SITE + f'password = "{CANARY}"\n',
    ],
)
def test_a_site_file_with_a_secret_is_refused_and_the_secret_not_repeated(text: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_site(path)
    assert CANARY not in str(refused.value)


def test_a_secret_that_stands_in_the_environment_too_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mqtt-password").write_text(f"{CANARY}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential("mqtt-password") == CANARY
    monkeypatch.setenv("BROKER_PASS", CANARY)
    with pytest.raises(ConfigError, match="stands in the environment, too, as BROKER_PASS") as refused:
        credential("mqtt-password")
    assert CANARY not in str(refused.value)


def test_a_short_word_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt-password").write_text("root")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SOMEBODY", "root")
    assert credential("mqtt-password") == "root"


@pytest.mark.parametrize("name", ["TAGWHARF_MQTT_PASSWORD", "TAGWHARF_INFLUX_TOKEN", "TAGWHARF_SECRET"])
def test_an_environment_that_offers_a_secret_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    load_site(path)
    monkeypatch.setenv(name, CANARY)
    with pytest.raises(ConfigError, match=f"{name}: a secret must not stand in the environment") as refused:
        load_site(path)
    assert CANARY not in str(refused.value)
