from __future__ import annotations

from typing import Any

import pytest

from gateway.config.models import Site, SiteFile
from gateway.config.rules import MatchRule, PackUse
from rules import packs
from rules.expansion import as_run


def site(*uses: PackUse, rules: list[Any] | None = None) -> SiteFile:
    return SiteFile(site=Site(name="harbour"), pack=list(uses), rule=rules or [])


def test_every_pack_is_found_by_its_kind_and_says_what_it_is() -> None:
    assert sorted(packs.PACKS) == ["factory", "parking", "port", "power"]
    for kind, pack in packs.PACKS.items():
        assert pack.kind == kind
        assert pack.summary


def test_a_site_without_packs_is_as_it_was() -> None:
    file = site(rules=[MatchRule(shape="match", name="x", on="read")])
    assert packs.expand(file) is file
    assert packs.faults(file) == []


@pytest.mark.parametrize(
    ("kind", "hint"), [("prot", "did you mean 'port'?"), ("zoo", "there are factory, parking, port, power")]
)
def test_a_pack_that_is_not_there(kind: str, hint: str) -> None:
    [fault] = packs.faults(site(PackUse(name="gate", kind=kind)))
    assert fault == f"site.toml: pack[gate].kind = {kind!r}: no such pack; {hint}"


def test_settings_that_do_not_fit_name_their_place() -> None:
    found = packs.faults(site(PackUse(name="gate", kind="port", settings={"lanez": 3})))
    assert any(fault.startswith("site.toml: pack[gate].settings.lanez = 3: ") for fault in found), found


def test_the_place_where_packs_become_rules_takes_them_all() -> None:
    file = site(rules=[MatchRule(shape="match", name="x", on="read")])
    assert as_run(file).pack == []
    assert [rule.name for rule in as_run(file).rule] == ["x"]
