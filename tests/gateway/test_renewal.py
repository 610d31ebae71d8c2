from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.config.models import Tls
from gateway.https import https_context
from gateway.renewal import LOOK_EVERY_S, Renewal
from readers.errors import ConfigError
from readers.ports.tls import ClientContext
from tests.support.pki import Authority


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, str(fields["error"])))


def made(authority: Authority, clock: Clock, told: Told) -> Renewal[ClientContext]:
    folder = authority.directory
    tls = Tls(ca_file=authority.file, certificate_file=folder / "us.pem", key_file=folder / "us.key")
    return Renewal(lambda: https_context(tls), tls, notice=told, clock=clock)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    found = Authority(tmp_path)
    found.issue("us")
    return found


def test_new_files_are_taken_at_the_next_look_and_old_ones_are_not_loaded_again(authority: Authority) -> None:
    clock, told = Clock(), Told()
    renewal = made(authority, clock, told)
    first = renewal.context
    clock.now_s += LOOK_EVERY_S
    assert not renewal.refresh()
    authority.issue("us")
    assert not renewal.refresh()  # looked a moment ago
    clock.now_s += LOOK_EVERY_S
    assert renewal.refresh()
    assert renewal.context is not first
    clock.now_s += LOOK_EVERY_S
    assert not renewal.refresh()
    assert told.events == []


def test_half_a_pair_a_missing_file_and_nonsense_change_nothing_and_are_told_once(authority: Authority) -> None:
    clock, told = Clock(), Told()
    renewal = made(authority, clock, told)
    first = renewal.context
    folder = authority.directory
    authority.issue("other")

    def look(*, again: bool = True) -> None:
        for _ in range(1 + again):
            clock.now_s += LOOK_EVERY_S
            assert not renewal.refresh()
        assert renewal.context is first

    (folder / "us.pem").write_bytes((folder / "other.pem").read_bytes())
    look()
    (folder / "us.key").unlink()
    look()
    (folder / "us.key").write_text("nonsense")
    look()
    words = ["not that of the certificate", "a file is missing", "must be PEM"]
    assert [event for event, _ in told.events] == ["certificate_refused"] * 3
    assert all(word in error for word, (_, error) in zip(words, told.events, strict=True))
    (folder / "other.key").replace(folder / "us.key")
    clock.now_s += LOOK_EVERY_S
    assert renewal.refresh()
    assert renewal.context is not first


def test_a_candidate_that_is_not_adopted_comes_again_when_asked_for(authority: Authority) -> None:
    renewal = made(authority, Clock(), Told())
    assert renewal.candidate() is None
    authority.issue("us")
    assert isinstance(renewal.candidate(), ssl.SSLContext)
    assert renewal.candidate() is None
    renewal.look_again()
    found = renewal.candidate()
    assert found is not None
    renewal.adopt(found)
    assert renewal.context is found


def test_at_the_beginning_wrong_files_are_a_fault(authority: Authority) -> None:
    (authority.directory / "us.key").write_text("nonsense")
    with pytest.raises(ConfigError):
        made(authority, Clock(), Told())


def test_without_files_there_is_nothing_to_renew() -> None:
    clock = Clock()
    renewal = Renewal(lambda: https_context(None), None, clock=clock)
    clock.now_s += LOOK_EVERY_S
    assert not renewal.refresh()
