from __future__ import annotations

from pathlib import Path

import pytest

from gateway.init.answers import Place, SiteKind, StoreKind, as_name, default_answers, load_answers
from readers.errors import ConfigError


def answers(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "answers.toml"
    path.write_text(text)
    return path


def test_one_line_is_enough(tmp_path: Path) -> None:
    found = load_answers(answers(tmp_path, '[site]\nname = "hamburg"\n'))
    assert (found.site.gateway, found.site.kind) == ("edge-1", SiteKind.OTHER)
    assert (found.broker.where, found.broker.port, found.store.kind) == (Place.HERE, 1883, StoreKind.JOURNAL)
    assert (found.search.networks, found.search.greet_readers, found.search.try_lines) == ([], False, False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[site]\n", "site.name is missing"),
        ('[site]\nname = "Hamburg"\n', "a-z, 0-9"),
        ('[site]\nname = "a"\nkind = "dock"\n', "site.kind"),
        ('[site]\nname = "a"\ngateway = "rules"\n', "'rules' is a topic of its own"),
        ('[site]\nname = "a"\n[brokr]\n', "no such table"),
        ('[site]\nname = "a"\n[broker]\nhost = "b"\n', "for a broker elsewhere"),
        ('[site]\nname = "a"\n[broker]\nwhere = "elsewhere"\n', "host: is missing"),
        (
            '[site]\nname = "a"\n[broker]\nwhere = "elsewhere"\nhost = "b"\npassword_file = "f"\n',
            "whose password is that",
        ),
        ('[site]\nname = "a"\n[store]\nurl = "influx"\n', "http://"),
        ('[site]\nname = "a"\n[store]\nadmin_user = "root"\n', "give both or none"),
        ('[site]\nname = "a"\n[[line]]\nadapter = "usb"\n', "driver is missing"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=r"answers\.toml") as refused:
        load_answers(answers(tmp_path, text))
    assert why in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name the file of answers with --answers"):
        load_answers(tmp_path / "none.toml")


def test_the_default_site_has_a_name_that_topics_allow() -> None:
    assert default_answers().site.name


@pytest.mark.parametrize(
    ("host", "name"), [("Gate3.port.example", "gate3"), ("___", "site"), ("rules", "site"), ("x" * 80, "x" * 64)]
)
def test_a_name_is_made_of_any_host_name(host: str, name: str) -> None:
    assert as_name(host, "site") == name
