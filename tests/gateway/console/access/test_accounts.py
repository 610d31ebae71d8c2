from pathlib import Path

import pytest

from gateway.config.console import Console, ConsoleTls, User
from gateway.config.control import Control, Person
from gateway.config.models import Site, SiteFile
from gateway.console.access.accounts import load_accounts
from gateway.console.access.roles import Account, Role
from readers.errors import ConfigError
from tests.gateway.console.access.served import USERS, Clock, accounts_of, hash_of_password

KEY = "0123456789abcdef" * 2
OLGA = Person(name="olga", key_credential="control-olga", roles=["operator"])


def site_of(*users: User) -> SiteFile:
    return SiteFile(site=Site(name="quay"), control=Control(person=[OLGA]), console=Console(user=list(users)))


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for name in ("vera", "olga", "emil"):
        (tmp_path / f"console-{name}").write_text(hash_of_password() + "\n")
    (tmp_path / "control-olga").write_text(KEY)
    return tmp_path


def test_accounts_come_from_the_site_file_and_its_credentials(credentials: Path) -> None:
    del credentials
    accounts = load_accounts(site_of(*USERS))
    assert accounts.find("olga") == Account("olga", Role.OPERATOR, "olga")
    assert accounts.find("emil") == Account("emil", Role.ENGINEER)
    assert accounts.find("nobody") is None
    assert accounts.key("olga") == KEY.encode()
    with pytest.raises(KeyError):
        accounts.key("emil")


def test_a_site_without_users_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    accounts = load_accounts(site_of())
    assert not accounts.login_possible
    assert accounts.anonymous == Account("", Role.VIEWER)


def test_every_credential_that_is_wrong_is_told_and_none_is_repeated(credentials: Path) -> None:
    (credentials / "console-vera").unlink()
    (credentials / "console-olga").write_text("canary horse battery")
    (credentials / "control-olga").write_text("canary")
    with pytest.raises(ConfigError) as caught:
        load_accounts(site_of(*USERS))
    first, second = str(caught.value).splitlines()
    assert first.startswith("console.user[vera]: credential 'console-vera': cannot read")
    assert second.startswith("console.user[olga]: credential 'console-olga': is no Argon2 hash")
    (credentials / "console-olga").write_text(hash_of_password())
    with pytest.raises(ConfigError, match="credential 'control-olga': is no key") as caught:
        load_accounts(site_of(USERS[1]))
    assert "canary" not in str(caught.value)


def test_a_person_that_is_not_there_is_told(credentials: Path) -> None:
    del credentials
    stranger = User(name="olga", role="operator", password_credential="console-olga", person="ben")
    with pytest.raises(ConfigError, match=r"person 'ben': no \[\[control.person\]\]"):
        load_accounts(site_of(stranger))


def test_beyond_loopback_nobody_looks_without_a_login() -> None:
    tls = ConsoleTls(certificate_file=Path("a.pem"), key_file=Path("a.key"))
    accounts = accounts_of(Clock(), host="0.0.0.0", tls=tls, names=["quay.example"])
    assert accounts.anonymous is None
    assert accounts.cookie.name == "__Host-tagwharf"
