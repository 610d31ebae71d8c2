import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter

from gateway.config.faults import models_in
from gateway.config.identity_rules import BindingRule, TravelRule
from gateway.config.load import load_site, warnings
from gateway.config.models import SiteFile
from gateway.config.rules import AbsenceRule, PairRule, RateRule, SequenceRule, SessionRule, SetRule
from gateway.config.sample import sample_file, settings_table, site_page, site_schema


def uncommented(without: tuple[str, ...] = ()) -> str:
    lines = [line for line in sample_file().splitlines() if not line.startswith("# ")]
    return "\n".join(
        line.removeprefix("#") for line in lines if not line.startswith(tuple(f"#{key} =" for key in without))
    )


def without_tables(text: str, *names: str) -> str:
    kept = [part for part in text.split("\n\n") if not any(f"[[{name}]]\n" in part for name in names)]
    return "\n\n".join(kept)


def test_sample_passes_the_check_and_is_the_shortest_file(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(sample_file())
    site = load_site(path)
    assert site == SiteFile.model_validate({"site": {"name": "hamburg"}})
    assert warnings(site) == ["no [[reader]]: this edge daemon will read nothing"]


def test_every_commented_setting_is_valid_together(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    for name in ("assets.csv", "appointments.csv", "ca.pem", "console.pem", "console.key", "site.svg"):
        (tmp_path / name).touch()
    # Settings of a serial line and of a broker do not go with a tls:// port, the sample has no calendar, rules stand
    # here or elsewhere, and packs and orders speak of places and people that it does not have.
    text = without_tables(uncommented(without=("line", "login", "during")), "pack", "order")
    assert text.count('\nfile = "rules.toml"\n') == 1
    path.write_text(text.replace('\nfile = "rules.toml"\n', "\n"))
    site = load_site(path)
    assert [rule.shape for rule in site.rule] == ["match", "hold"]
    assert [sink.kind for sink in site.sink] == ["journal", "influxdb", "webhook", "directory"]


def test_sample_has_every_key_and_the_defaults_are_the_defaults() -> None:
    raw = tomllib.loads(uncommented())
    site = SiteFile.model_validate(raw)
    tables: list[tuple[BaseModel, dict[str, Any]]] = []
    for name in SiteFile.model_fields:
        models = getattr(site, name)
        pairs = zip(models, raw[name], strict=True) if isinstance(models, list) else [(models, raw[name])]
        tables.extend(pairs)
    shown = {type(model) for model, _ in tables}
    hidden = {model for field in SiteFile.model_fields.values() for model in models_in(field.annotation)} - shown
    assert hidden == {
        RateRule,
        AbsenceRule,
        SequenceRule,
        SessionRule,
        PairRule,
        SetRule,
        TravelRule,
        BindingRule,
    }  # these exclude keys, or have keys that say nothing without others
    for model, table in tables:
        assert table.keys() == type(model).model_fields.keys()
        for key, field in type(model).model_fields.items():
            if (
                field.default not in (None, "", "true", {})
                and not field.is_required()
                and field.default_factory is None
            ):
                assert TypeAdapter(field.rebuild_annotation()).validate_python(table[key]) == field.default, key


def test_schema_accepts_what_the_models_accept_and_names_drivers() -> None:
    schema = json.loads(json.dumps(site_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(tomllib.loads(sample_file()))
    validator.validate(tomllib.loads(uncommented(without=("line",))))


@pytest.mark.parametrize(
    "table",
    [
        {"rounds": 0},
        {"round": 3},
        {"tx_power_dbm": "high"},
    ],
)
def test_schema_refuses_wrong_settings_of_a_driver(table: dict[str, Any]) -> None:
    reader = {"name": "gate", "driver": "m100", "port": "/dev/ttyUSB0", "settings": {"rounds": 5}}
    site = {"site": {"name": "hamburg"}, "reader": [reader]}
    validator = jsonschema.Draft202012Validator(site_schema())
    assert validator.is_valid(site)
    reader["settings"] = table
    assert not validator.is_valid(site)


def test_page_tells_every_key_of_every_table() -> None:
    page = site_page()
    for model in models_below(SiteFile):
        for key in model.model_fields:
            assert f"| `{key}` |" in page, f"{model.__name__}.{key}"
    for name in SiteFile.model_fields:
        assert f"[{name}]" in page


def test_links_of_the_page_lead_to_headings() -> None:
    page = site_page()
    for name in ("Tls", "Line", "AlarmSettings"):
        assert f"(#{name.lower()})" in page
        assert f"\n## {name}\n" in page


def test_settings_table_of_one_model() -> None:
    class Settings(BaseModel):
        power: float = 1.5

    assert settings_table(Settings.model_json_schema())[2:] == ["| `power` | number | `1.5` |  |"]


def models_below(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [inner for field in model.model_fields.values() for inner in models_in(field.annotation)]
    return [each for inner in found for each in (inner, *models_below(inner))]
