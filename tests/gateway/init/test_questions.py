from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.init.adapters import Adapter
from gateway.init.answers import Place, SiteKind, StoreKind
from gateway.init.questions import TRIES, Asker, QuestionError, ask, ask_line

USB = Adapter("/dev/serial/by-id/usb-1", Path("/dev/serial/by-id/usb-1"), "ttyUSB0", "FTDI", "FT232R")


class Person:
    """Answers in order; remembers what was said to him."""

    def __init__(self, *answers: str) -> None:
        self._answers = [f"{answer}\n" for answer in answers]
        self.heard: list[str] = []
        self.asker = Asker(self._read, self.heard.append)

    def _read(self) -> str:
        return self._answers.pop(0) if self._answers else ""

    @property
    def left(self) -> Sequence[str]:
        return self._answers


def test_empty_answers_take_the_defaults(tmp_path: Path) -> None:
    person = Person("hamburg", *[""] * 7)
    found = ask(person.asker, tmp_path, None)
    assert (found.site.name, found.site.gateway, found.site.kind) == ("hamburg", "edge-1", SiteKind.OTHER)
    assert (found.broker.where, found.broker.port) == (Place.HERE, 1883)
    assert found.store.kind is StoreKind.JOURNAL
    assert (found.search.networks, found.search.greet_readers, found.search.try_lines) == ([], False, False)
    assert not person.left


def test_everything_elsewhere(tmp_path: Path) -> None:
    for name in ("ca.pem", "password", "token"):
        (tmp_path / name).write_text("x")
    person = Person(
        *("hamburg", "edge-2", "gate"),
        *("elsewhere", "broker.port.example", str(tmp_path / "ca.pem"), "", "edge-2", str(tmp_path / "password")),
        *("influx", "https://influx.port.example", "plant", "30", "port", str(tmp_path / "token")),
        *("10.0.0.0/24, 10.0.1.0/24", "yes", "yes"),
    )
    found = ask(person.asker, tmp_path, None)
    assert (found.broker.host, found.broker.port, found.broker.user) == ("broker.port.example", 8883, "edge-2")
    assert (found.broker.ca_file, found.broker.password_file) == (tmp_path / "ca.pem", tmp_path / "password")
    assert (found.store.url, found.store.database, found.store.keep_days) == (
        "https://influx.port.example",
        "plant",
        30,
    )
    assert (found.store.org, found.store.token_file) == ("port", tmp_path / "token")
    assert found.search.networks == ["10.0.0.0/24", "10.0.1.0/24"]
    assert (found.search.try_lines, found.search.greet_readers) == (True, True)
    assert not person.left


def test_an_administrator_of_influxdb_1_has_a_password(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("x")
    person = Person("hamburg", "", "", "", "", "influxdb", "", "", "", "", "root", "", str(tmp_path / "p"), "")
    found = ask(person.asker, tmp_path, [])
    assert (found.store.admin_user, found.store.admin_password_file) == ("root", tmp_path / "p")
    assert "  a file is needed" in person.heard


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (("Hamburg",), "a-z, 0-9"),
        (("hamburg", "rules"), "'rules' is a topic of its own"),
        (("hamburg", "", "dock"), "answer one of: gate, factory"),
        (("hamburg", "", "", "", "many"), "must be a whole number"),
        (("hamburg", "", "", "", "70000"), "must be at most 65535"),
        (("hamburg", "", "", "", "", "", "10.0.0.0/8"), "search /22 or less"),
        (("hamburg", "", "", "", "", "", "", "perhaps"), "answer yes or no"),
        (("hamburg", "", "", "elsewhere", ""), "must"),
        (("hamburg", "", "", "elsewhere", "b", "/none"), "no such file"),
    ],
)
def test_a_wrong_answer_is_told_and_asked_again(tmp_path: Path, wrong: tuple[str, ...], why: str) -> None:
    person = Person(*wrong)
    with pytest.raises(QuestionError, match="the input ended at the question"):
        ask(person.asker, tmp_path, None)
    assert why in person.heard[-2]
    assert person.heard[-1] == person.heard[-3]


def test_wrong_answers_end(tmp_path: Path) -> None:
    person = Person(*["Hamburg"] * 50)
    with pytest.raises(QuestionError, match="5 answers to 'Name of the site' were none; nothing was written"):
        ask(person.asker, tmp_path, None)
    assert len(person.left) == 50 - TRIES


def test_networks_of_the_command_line_are_not_asked_for(tmp_path: Path) -> None:
    person = Person("hamburg", *[""] * 5, "no", "no")
    assert ask(person.asker, tmp_path, ["10.0.0.0/24"]).search.networks == ["10.0.0.0/24"]
    assert not any("Networks to search" in question for question in person.heard)


def test_what_hangs_on_a_line() -> None:
    person = Person("m", "m100")
    line = ask_line(person.asker, USB)
    assert line is not None
    assert (line.adapter, line.driver) == ("usb-1", "m100")
    assert "FTDI FT232R (ttyUSB0)" in person.heard[0]
    assert person.heard[1].startswith("  answer one of: a0,")
    assert ask_line(Person("").asker, USB) is None


def test_a_person_agrees_or_not() -> None:
    assert Person("").asker.agrees("Do this?", default=True)
    assert not Person("No").asker.agrees("Do this?", default=True)
