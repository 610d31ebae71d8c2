import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from gateway.console.settings_told import TEXT_MOST, Setting, Told, settings_told
from readers import registry
from readers.driver import DriverSettings


class Mode(StrEnum):
    FAST = "fast"


class Unit(BaseModel):
    name: str
    address: str = "1"
    password_credential: str | None = None


class Inner(BaseModel):
    level: int = 1
    key: str = "not to be seen"
    on: bool = False


class Settings(DriverSettings):
    tx_power_dbm: float = 20.0
    antennas: tuple[int, ...] = ()
    mode: Mode | None = None
    ratio: Decimal = Decimal("1.0")
    read_tid: bool = False
    region: str | None = None
    inner: Inner | None = None
    access_password_credential: str | None = "name-of-it"
    pin_secret: SecretStr = SecretStr("1234")
    units: tuple[Unit, ...] = ()


def rows(settings: BaseModel, source: str | None = None, conditions: Any = (), **in_force: str) -> dict[str, Setting]:
    return {row.name: row for row in settings_told(settings, source, in_force, conditions)}


@pytest.mark.parametrize(
    ("name", "asked", "said", "told"),
    [
        ("tx_power_dbm", 30.0, "30", Told.SAME),
        ("tx_power_dbm", 30.0, "29.5", Told.DIFFERS),
        ("tx_power_dbm", 30.0, "30, 27", Told.DIFFERS),
        ("antennas", (1, 2), "1 2", Told.SAME),
        ("antennas", (1, 2), "1", Told.DIFFERS),
        ("antennas", (), "1 2", Told.UNASKED),
        ("mode", Mode.FAST, "FAST", Told.SAME),
        ("mode", None, "fast", Told.UNASKED),
        ("ratio", Decimal("40.0"), "40", Told.SAME),
        ("read_tid", True, "true", Told.SAME),
        ("region", "prc", "nan", Told.DIFFERS),
    ],
)
def test_what_agrees_is_confirmed_however_it_is_written(name: str, asked: object, said: str, told: Told) -> None:
    row = rows(Settings(**{name: asked}), **{name: said})[name]
    assert (row.told, row.in_force, row.is_default) == (told, said, False)


def test_what_the_device_does_not_tell_is_not_confirmed() -> None:
    found = rows(Settings(tx_power_dbm=30.0))
    assert (found["tx_power_dbm"].told, found["tx_power_dbm"].asked) == (Told.NOT_TOLD, "30")
    assert (found["read_tid"].asked, found["read_tid"].is_default) == ("false", True)
    assert found["region"].asked is None


def test_the_driver_says_what_differs_and_that_comes_first() -> None:
    conditions = [
        {"name": "setting_differs", "key": "read_tid", "detail": "not possible"},
        {"name": "setting_differs", "key": "work_mode"},
        {"name": "antenna_disconnected", "key": "tx_power_dbm"},
    ]
    found = settings_told(Settings(), None, {"work_mode": "answer", "tx_power_dbm": "20"}, conditions)
    assert [(row.name, row.told, row.detail) for row in found][:2] == [
        ("read_tid", Told.DIFFERS, "not possible"),
        ("work_mode", Told.DIFFERS, ""),
    ]
    assert {row.name: row.told for row in found}["tx_power_dbm"] is Told.SAME


def test_secrets_and_their_names_stay_away() -> None:
    settings = Settings(inner=Inner(level=2, on=True, key="x"), units=(Unit(name="a", password_credential="p"),))
    told = settings_told(settings, None, {}, []) + settings_told(settings, "a", {}, [])
    text = " ".join(f"{row.name} {row.asked}" for row in told)
    assert json.loads(rows(settings)["inner"].asked or "") == {"level": 2, "on": True}
    for secret in ("name-of-it", "1234", "password", "secret", "key", "not to be seen"):
        assert secret not in text


def test_a_device_behind_a_line_has_settings_of_its_own() -> None:
    settings = Settings(units=(Unit(name="a", address="7"), Unit(name="b")))
    assert "units" not in rows(settings)
    found = rows(settings, "a", address="7", pt_ratio="10")
    assert {name: row.told for name, row in found.items()} == {"address": Told.SAME, "pt_ratio": Told.UNASKED}
    assert rows(settings, "b")["address"].is_default
    assert rows(settings, "stranger") == {}


def test_a_long_list_is_cut() -> None:
    asked = rows(Settings(antennas=tuple(range(1, 1000))))["antennas"].asked
    assert asked is not None
    assert len(asked) == TEXT_MOST + 3


BY_THEMSELVES = [
    name
    for name, spec in registry.drivers().items()
    if not any(field.is_required() for field in spec.settings.model_fields.values())
]


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_the_settings_of_a_driver_can_be_shown(name: str) -> None:
    model = registry.driver(name).settings
    shown = settings_told(model(), None, {}, [])
    assert {row.name for row in shown} <= set(model.model_fields)
    assert all(row.is_default and row.told is Told.NOT_TOLD for row in shown)
    assert not [row.name for row in shown if "credential" in row.name or "password" in row.name]
