"""Faults stand in `broken/console*.toml`; here is what is allowed, and what it means."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config.console import Anonymous, Console, ConsoleTls, User
from gateway.config.load import load_site
from readers.errors import ConfigError

TLS = ConsoleTls(certificate_file=Path("console.pem"), key_file=Path("console.key"))
ANNA = User(name="anna", role="operator", password_credential="console-anna", person="anna")
SITE = '[site]\nname = "hamburg"\n'
BEYOND = """
[console]
host = "0.0.0.0"
names = ["quay.example", "10.0.0.7", "2001:DB8::7"]
[console.tls]
certificate_file = "tls/console.pem"
key_file = "console.key"
[[console.user]]
name = "anna"
role = "operator"
password_credential = "console-anna"
person = "anna"
[[control.person]]
name = "anna"
key_credential = "control-anna"
roles = ["operator"]
"""


def test_on_loopback_nothing_needs_to_be_said() -> None:
    console = Console()
    assert (console.host, console.port) == ("127.0.0.1", 8680)
    assert console.anonymous_may is Anonymous.VIEWER
    assert console.allowed_hosts == ["localhost", "127.0.0.1", "::1", "[::1]"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_what_is_loopback(host: str) -> None:
    assert Console(host=host).is_on_loopback


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.7", "fe80::1", "::ffff:10.0.0.7", "::ffff:0.0.0.0", "169.254.1.1"]
)
def test_what_is_not_loopback_needs_tls_names_and_users(host: str) -> None:
    for left_out in ("tls", "names", "user"):
        given = {"tls": TLS, "names": ["quay.example"], "user": [ANNA]}
        assert Console.model_validate({"host": host, **given}).anonymous_may is Anonymous.NOBODY
        given.pop(left_out)
        with pytest.raises(ValidationError, match=f"missing: .*{left_out}"):
            Console.model_validate({"host": host, **given})


def test_loopback_may_be_as_strict_as_the_network() -> None:
    console = Console(tls=TLS, user=[ANNA], anonymous=Anonymous.NOBODY)
    assert console.anonymous_may is Anonymous.NOBODY


def test_a_whole_file_for_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/console.pem").touch()
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "console.key").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (tmp_path / "site.toml").write_text(SITE + BEYOND)
    console = load_site(tmp_path / "site.toml").console
    assert console.tls is not None
    assert console.tls.certificate_file == tmp_path / "tls/console.pem"
    assert console.tls.key_file == credentials / "console.key"
    assert console.allowed_hosts[4:] == ["quay.example", "10.0.0.7", "2001:db8::7", "[2001:db8::7]"]
    assert [user.name for user in console.user] == ["anna"]


def test_a_fault_elsewhere_does_not_make_people_disappear(tmp_path: Path) -> None:
    text = '[[console.user]]\nname = "anna"\nrole = "operator"\npassword_credential = "a"\nperson = "anna"\n'
    (tmp_path / "site.toml").write_text(SITE + text + "[mqtt]\nport = 0\n")
    with pytest.raises(ConfigError) as caught:
        load_site(tmp_path / "site.toml")
    assert len(str(caught.value).splitlines()) == 1
    (tmp_path / "site.toml").write_text(SITE + text)
    with pytest.raises(ConfigError, match="the site file has none"):
        load_site(tmp_path / "site.toml")


@pytest.mark.parametrize("console", ["1", "[]", "{ user = 1 }", "{ user = [1, {}] }", "{ tls = 1 }", '{ tls = "a" }'])
def test_tables_of_a_wrong_type_are_told(tmp_path: Path, console: str) -> None:
    (tmp_path / "site.toml").write_text(f"console = {console}\n{SITE}")
    with pytest.raises(ConfigError, match="console"):
        load_site(tmp_path / "site.toml")
