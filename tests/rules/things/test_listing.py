from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from readers.tagdata.cards import CardIdentity
from rules.list_file import SHOWN_FAULTS
from rules.things.file import RegistryError
from rules.things.listing import MOST_TEXT, Imported, import_csv
from rules.things.registry import Registry
from rules.things.source import load
from rules.things.thing import AMBIGUOUS, KNOWN, Answer, Thing
from tests.rules.things.registries import IDENTITIES
from tests.support.card_readers import CANARY, leaks


def listed(tmp_path: Path, text: str, identities: Identities = IDENTITIES) -> Registry:
    path = tmp_path / "things.csv"
    path.write_text(text, encoding="utf-8")
    return load(path, tmp_path, identities)


def faults(tmp_path: Path, text: str, identities: Identities = IDENTITIES) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        listed(tmp_path, text, identities)
    return caught.value.faults


def test_a_list_of_tags_as_it_always_was(tmp_path: Path) -> None:
    text = '\ufeffEPC, Name ,kind\n3034 0000 000a,"Box 4, blue",container\n\n3034000B,集装箱,\n'
    things = listed(tmp_path, text)
    assert things.tag("30340000000A") == Thing("Box 4, blue", "container")
    assert things.tag("3034000B") == Thing("集装箱")
    assert (things.things, things.cards) == (2, 0)


def test_the_kind_may_be_left_out(tmp_path: Path) -> None:
    assert listed(tmp_path, "name,epc\nTruck 7,3034\n").tag("3034") == Thing("Truck 7")


def test_a_list_of_everything(tmp_path: Path) -> None:
    name = IDENTITIES.name(CardIdentity.from_text("em4100:0102030405"))
    text = f"""card,tid,epc,class,kind,name,remark
{CANARY},,,driver,person,Kim,has a dog
nfca:1EA68671,E2801160,3034,40 foot,container,Box 4,
{name},,,,person,Jo
,E2801161,,,seal,Seal 9
"""
    things = listed(tmp_path, text)
    assert things.card(IDENTITIES.name(CardIdentity.from_text(CANARY))) == Answer(
        KNOWN, Thing("Kim", "person", "driver")
    )
    assert things.card(name) == Answer(KNOWN, Thing("Jo", "person"))
    assert things.tag("3034") == Thing("Box 4", "container", "40 foot", "E2801160")
    assert things.tag("FFFF", "E2801160") == Thing("Box 4", "container", "40 foot")
    assert things.tag("FFFF", "E2801161") == Thing("Seal 9", "seal")
    assert (things.things, things.cards) == (4, 3)


def test_all_faults_at_once_each_with_its_line_and_no_card_number(tmp_path: Path) -> None:
    text = f"""epc,tid,card,name,kind,class
30,,,short,,
XYZ0,,,no hex,,
,E28,,short too,,
,,,nothing,,
3035,,,,,
3036,,,{"n" * (MOST_TEXT + 1)},,
3037,,,a\x07b,,
,,{CANARY[5:]},no technology,,
,,nfca~last24:{CANARY[5:]},too long,,
,,nfca:08F0AD9B,random,,
,,nfca#F0AD9B,no hash,,
"""
    found = faults(tmp_path, text)
    assert [fault.split(": ")[0] for fault in found] == [f"line {n}" for n in range(2, 13)]
    assert found[0] == "line 2: epc = '30': must be hex, whole 16-bit words, 4 to 124 digits"
    assert found[3] == "line 5: has neither epc nor tid nor card; one of them names the thing"
    assert found[7].startswith("line 9: card: must begin with a technology")
    assert leaks("\n".join(found).encode()) == []


def test_what_two_lines_name_is_told_with_both(tmp_path: Path) -> None:
    text = f"epc,card,name\n3034,,one\n3034,,two\n,{CANARY},three\n,{CANARY.lower()},four\n3035,nfcb:01020304,five\n"
    found = faults(tmp_path, text)
    assert found == [
        "line 3: epc = '3034': is in line 2 already; keep one of the lines",
        "line 5: card: is in line 4 already; keep one of the lines",
    ]


def test_cards_that_share_a_part_are_no_fault_and_ambiguous(tmp_path: Path) -> None:
    things = listed(tmp_path, "card,name\nnfca:01F0AD9B,one\nnfca:02F0AD9B,two\n")
    assert things.card(IDENTITIES.name(CardIdentity.from_text("wiegand~last24:F0AD9B"))) == Answer(AMBIGUOUS)


def test_endless_faults_end(tmp_path: Path) -> None:
    found = faults(tmp_path, "epc,name\n" + "XYZ,a\n" * 10_000)
    assert len(found) <= SHOWN_FAULTS
    assert found[-1].startswith(("line", "there may be more"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: empty: write epc, tid or card, then name,kind,class"),
        ("a,b\n", "line 1: a, b: write epc, tid or card, then name,kind,class"),
        ("epc,kind\n3034,x\n", "line 1: epc, kind: write"),
        ('epc,name\n3034,"open\n', "line 2: is no CSV"),
    ],
)
def test_what_is_no_list(tmp_path: Path, text: str, says: str) -> None:
    assert faults(tmp_path, text)[0].startswith(says)


def test_a_list_that_is_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "things.csv"
    path.write_bytes(b"epc,name\n3034,\xff\n")
    with pytest.raises(RegistryError, match="save the list as UTF-8"):
        load(path, tmp_path, IDENTITIES)


def test_numbers_without_the_key_are_refused_with_advice(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, f"card,name\n{CANARY},Kim\n", Identities(IdentityStyle.KEYED))
    assert "LoadCredential=card-key" in fault
    hashed = f"card,name\n{IDENTITIES.name(CardIdentity.from_text(CANARY))},Kim\n"
    assert listed(tmp_path, hashed, Identities(IdentityStyle.KEYED)).cards == 1


def test_an_import_is_whole_or_nothing_and_holds_no_number(tmp_path: Path) -> None:
    path, to = tmp_path / "things.csv", tmp_path / "things.db"
    path.write_text(f"epc,tid,card,name\n3034,,,Box\n,E280,,Seal\n,,{CANARY},Kim\n")
    assert import_csv(path, to, IDENTITIES) == Imported(things=3, epcs=1, tids=1, cards=1)
    content = to.read_bytes()
    assert leaks(content) == []
    path.write_text("epc,name\nXYZ,a\n")
    with pytest.raises(RegistryError, match="line 2"):
        import_csv(path, to, IDENTITIES)
    assert to.read_bytes() == content
    assert sorted(each.name for each in tmp_path.iterdir()) == ["things.csv", "things.db"]


def test_an_import_for_a_site_of_numbers(tmp_path: Path) -> None:
    path, to = tmp_path / "things.csv", tmp_path / "things.db"
    path.write_text(f"card,name\n{CANARY},Kim\n")
    import_csv(path, to, Identities(IdentityStyle.RAW))
    assert load(to, tmp_path, Identities(IdentityStyle.RAW)).card(CANARY) == Answer(KNOWN, Thing("Kim"))
    with pytest.raises(RegistryError, match="another key"):
        load(to, tmp_path, IDENTITIES)
