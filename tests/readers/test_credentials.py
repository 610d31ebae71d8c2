from pathlib import Path

import pytest

from readers.credentials import LARGEST_BYTES, credential
from readers.errors import ConfigError


def test_reads_a_secret_without_its_line_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt-password").write_bytes("pässword \r\n".encode())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential("mqtt-password") == "pässword "


def test_says_what_to_do_outside_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="LoadCredential=influx-a:/etc/tagwharf/influx-a"):
        credential("influx-a")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * (LARGEST_BYTES + 1), "larger")],
)
def test_names_what_is_wrong(
    content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match=message) as raised:
        credential("token")
    assert "xxxx" not in str(raised.value)
