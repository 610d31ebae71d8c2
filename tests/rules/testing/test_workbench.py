from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError
from gateway.config.models import Cards, IdentityStyle
from rules.testing.models import Thing
from rules.testing.workbench import card_name, identities_of_tests, of_site, of_tests, site_of_tables
from tests.rules.play import site

EPC = "3034257BF7194E4000001A85"
BY_NUMBER = identities_of_tests(Cards(identity=IdentityStyle.RAW))
BY_HASH = identities_of_tests(Cards())


def test_cards_are_called_as_the_site_calls_them() -> None:
    assert card_name("nfca:04A1B2C3D4E5F6", BY_NUMBER) == "nfca:04A1B2C3D4E5F6"
    named = card_name("nfca:04A1B2C3D4E5F6", BY_HASH)
    assert named.startswith("nfca#")
    assert card_name(named, BY_HASH) == named
    assert card_name("wiegand~last24:D4E5F6", BY_HASH).startswith("wiegand~last24#")
    with pytest.raises(ValueError, match="must begin with a technology"):
        card_name("paper:04", BY_HASH)


def thing(**more: Any) -> Thing:
    return Thing.model_validate({"name": "truck 7", **more})


def test_the_things_of_a_test_are_those_of_the_engine() -> None:
    bench = of_tests(site(), [thing(epc=EPC, kind="truck", **{"class": "tractor"})])
    found = bench.engine().naming.registry.tag(EPC, None)
    assert found is not None
    assert (found.name, found.kind, found.class_name) == ("truck 7", "truck", "tractor")
    bench.close()


def test_faults_of_things_are_told() -> None:
    with pytest.raises(ConfigError, match=r"things: line 3: epc = .* is in line 2 already"):
        of_tests(site(), [thing(epc=EPC), thing(epc=EPC)])
    file = site()
    absent = file.model_copy(update={"site": file.site.model_copy(update={"assets": Path("/absent.csv")})})
    for make in (of_site, lambda each: of_tests(each, [])):
        with pytest.raises(ConfigError, match=r"site\.assets: /absent\.csv cannot be read"):
            make(absent)


def test_tables_of_a_site_may_stand_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "booked.csv").write_text("container,gate\nC1,7\n")
    rule = {
        "name": "r",
        "shape": "match",
        "on": "read",
        "when": "e.booked_found",
        "lookup": {"booked": {"table": "booked", "key": "subject"}},
    }
    columns = {"container": "string", "gate": "int"}
    tables = {
        "table": [{"name": "booked", "file": "booked.csv", "key": "container", "columns": columns}],
        "rule": [rule],
    }
    found = site_of_tables(tables, tmp_path / "x.tests.toml")
    assert found.site.name == "test"
    bench = of_site(found)
    booked = bench.tables.get("booked")
    assert booked is not None
    assert booked.find("C1") == ("C1", 7)
    bench.close()
    (tmp_path / "booked.csv").write_text("container\nC1\n")
    with pytest.raises(ConfigError, match=r"table\[booked\].file = .*has no column 'gate'"):
        of_site(found)


def test_their_faults_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tests.toml"
    with pytest.raises(ConfigError, match=r"x.tests.toml: inline: rule\[r\].on = 'raed': .* did you mean 'read'"):
        site_of_tables({"rule": [{"name": "r", "shape": "match", "on": "raed"}]}, path)
    with pytest.raises(ConfigError, match=r"x.tests.toml: inline: zon = \[\]: no such table"):
        site_of_tables({"zon": []}, path)
