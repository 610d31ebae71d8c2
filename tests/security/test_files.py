"""Every attack in a file of the site: the site file, the rule file, conditions of rules, lists of things, tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from gateway.config.load import load_site
from gateway.config.models import IdentityStyle
from gateway.config.rules import LookUpTable
from gateway.event_journal import EventJournal, day_name
from gateway.identity import Identities
from readers.codecs.modbus_map_file import MapError
from readers.codecs.modbus_map_file import parse as parse_map
from readers.errors import ConfigError
from rules.language.grammar import ExpressionError
from rules.language.grammar import parse as parse_condition
from rules.list_file import RefusedError
from rules.things.command import cards_of
from rules.things.source import load
from tests.rules.tables.test_listing import read as read_table
from tests.security.attacks import ATTACKS, IDS, PAYLOADS, Attack
from tests.security.bounds import bounded

SITE: Final = '[site]\nname = "harbour"\n'
RULE: Final = '[[rule]]\nname = "r"\nshape = "match"\non = "passage"\nalarm = { severity = "warning", message = "m" }\n'
PLACES: Final = (
    "[site]\nname = @@\n",
    SITE + "[site.@@]\n",
    SITE + "[@@]\n",
    SITE + "@@ = 1\n",
    SITE + "[mqtt]\nhost = @@\n",
    SITE + '[[reader]]\nname = @@\ndriver = "llrp"\nport = "tcp://127.0.0.1:1"\n',
    SITE + '[[reader]]\nname = "a"\ndriver = @@\nport = "tcp://127.0.0.1:1"\n',
    SITE + '[[reader]]\nname = "a"\ndriver = "llrp"\nport = @@\n',
    SITE + '[[reader]]\nname = "a"\ndriver = "llrp"\nport = "tcp://x"\nread_points = { 1 = @@ }\n',
    SITE + '[[reader]]\nname = "a"\ndriver = "llrp"\nport = "tcp://x"\nsettings = { @@ = 1 }\n',
    SITE + "[[zone]]\nname = @@\nread_points = [@@]\n",
    SITE + '[[sink]]\nkind = "influxdb"\nname = "a"\nurl = @@\nbucket = @@\n',
    SITE + '[[sink]]\nkind = @@\nname = "a"\n',
    SITE + "[rules]\nfile = @@\n",
    SITE + RULE + "when = @@\n",
    SITE + RULE.replace('"r"', "@@"),
    SITE + '[[control.person]]\nname = "a"\nkey_credential = @@\n',
    SITE + '[[console.user]]\nname = @@\nrole = "viewer"\npassword_credential = @@\n',
)
"""Where a text of the attack stands, as a TOML string."""
NAMED: Final = SITE + RULE.replace('"m"', "@@")
WITH_TEXT: Final = [attack for attack in ATTACKS if attack.payloads]
TEXT_IDS: Final = [str(attack.number) for attack in WITH_TEXT]
DEEP: Final = ("(" * 50_000, "!" * 3_000, "e." * 2_000)
MOST_LINE: Final = 4_000
IDENTITIES: Final = Identities(IdentityStyle.KEYED, b"k" * 32)


def quoted(text: str) -> str:
    """A text as TOML has it; halves of surrogate pairs, which no TOML has, are left out."""
    return json.dumps("".join(each for each in text if not "\ud800" <= each <= "\udfff"), ensure_ascii=True).replace(
        "\\u007f", "\\u007F"
    )


def told(error: Exception, given: int = 0) -> None:
    """What is wrong is told in lines that can neither forge another nor steer a terminal; they may repeat a name."""
    for line in str(error).split("\n"):
        assert line.isprintable(), repr(line[:200])
        assert len(line) < MOST_LINE + 12 * given, line[:200]


def texts_of(attack: Attack) -> Iterator[str]:
    """Written as TOML; beyond the middle plane JSON and TOML differ, so only what both write is used."""
    for text in attack.texts():
        yield quoted(text[: 64 << 10])


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_site_file_of_it(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    rule_file = tmp_path / "rules.toml"
    for content in (payload, SITE.encode() + payload, SITE.encode() + b"a = " + payload, b"[site]\nname = '" + payload):
        path.write_bytes(content)
        try:
            site = load_site(path)
        except ConfigError as error:
            told(error, len(payload))
        else:
            assert site.site.name == "harbour"  # blanks and comments change nothing
        with suppress(ConfigError):
            cards_of(path)
    rule_file.write_bytes(payload)
    path.write_text(SITE + '[rules]\nfile = "rules.toml"\n')
    with suppress(ConfigError):
        load_site(path)


@pytest.mark.parametrize("attack", WITH_TEXT, ids=TEXT_IDS)
def test_a_text_in_a_site_file(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    for text in texts_of(attack):
        for place in PLACES:
            path.write_text(place.replace("@@", text))
            try:
                load_site(path)
            except ConfigError as error:
                told(error, len(text))


@pytest.mark.parametrize("attack", WITH_TEXT, ids=TEXT_IDS)
def test_a_message_of_a_rule_is_kept_as_it_is(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    for text in texts_of(attack):
        path.write_text(NAMED.replace("@@", text))
        try:
            site = load_site(path)
        except ConfigError as error:
            told(error)
        else:
            assert site.rule[0].alarm is not None
            assert site.rule[0].alarm.message == json.loads(text)


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_condition(payload: bytes) -> None:
    for text in (
        payload.decode("latin-1"),
        payload.decode("utf-8", "replace"),
        "(" * 50_000,
        "!" * 3_000,
        "e." * 2_000,
    ):
        for condition in (text, f'e.subject == "{text}"', f"e.{text} == 1", f"{text}.matches(e.subject)", *DEEP):

            def parse(condition: str = condition) -> None:
                try:
                    parse_condition(condition)
                except ExpressionError as error:
                    told(error)

            bounded(parse, min(len(condition), 20_000), extra_bytes=1 << 20)


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_list_of_things(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "things.csv"
    for content in (
        payload,
        b"epc,name,kind\n3034,Box 1,container\n" + payload,
        b"epc,name,kind\n3034," + payload + b",container\n",
        b'epc,name,kind\n3034,"' + payload.replace(b'"', b'""') + b'",container\n',
        b"epc,name\n" + payload + b",Box\n",
        b"card,name\nnfca:" + payload + b",Kim\n",
        payload + b",epc,name\n1,3034,Box\n",
    ):
        path.write_bytes(content)
        try:
            things = load(path, tmp_path, IDENTITIES)
        except (RefusedError, UnicodeDecodeError) as error:
            told(error, len(payload))
            continue
        found = things.tag("3034")
        things.close()
        assert found is None or found.name.isprintable()


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_table(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "slots.csv"
    table = LookUpTable.model_validate(
        {"name": "slots", "file": path, "key": "truck", "columns": {"slot": "string", "mass_kg": "double"}}
    )
    for content in (
        payload,
        b"truck,slot,mass_kg\nT-1," + payload + b",1.5\n",
        b'truck,slot,mass_kg\nT-1,"' + payload.replace(b'"', b'""') + b'",1.5\n',
        b"truck,slot,mass_kg\n" + payload + b",a,1.5\n",
        b"truck,slot,mass_kg\nT-1,a," + payload + b"\n",
    ):
        path.write_bytes(content)
        rows, faults = read_table(path, table)
        for row in rows:
            for cell in (row.key, *row.cells):
                assert not isinstance(cell, str) or cell.isprintable()
        for fault in faults:
            told(ValueError(fault), len(payload))


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_map_of_a_meter(payload: bytes) -> None:
    for text in (
        payload.decode("latin-1"),
        "source = " + quoted(payload.decode("latin-1")),
        "[[value]]\nname = '''" + payload.decode("latin-1"),
    ):
        with pytest.raises(MapError):
            parse_map(text, "m.toml")


def test_a_link_in_the_state_directory_costs_what_it_leads_to_nothing(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = elsewhere / "kept.txt"
    kept.write_text("kept")
    state = tmp_path / "state"
    state.mkdir()
    for name in (day_name(10), f"{day_name(11)}-wal", f"{day_name(12)}.damaged-1"):
        (state / name).symlink_to(kept)
    (state / "things-left").symlink_to(elsewhere)
    journal = EventJournal(state, keep_days=7)
    dropped = journal.drop_old_days()
    journal.close()
    assert len(dropped) == 3
    assert not [path for path in state.iterdir() if path.name.startswith("events-")]
    things = tmp_path / "things.csv"
    things.write_text("epc,name\n3034,Box\n")
    load(things, state, IDENTITIES).close()
    assert kept.read_text() == "kept"
    assert list(elsewhere.iterdir()) == [kept]
