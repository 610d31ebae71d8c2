from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from readers import registry
from readers.driver import Kind
from readers.errors import ConfigError

NOT_A_SPEC = object()


@pytest.fixture
def fresh() -> Iterator[None]:
    registry.drivers.cache_clear()
    yield
    registry.drivers.cache_clear()


def test_every_driver_of_this_project_is_found() -> None:
    found = registry.drivers()
    assert {"m100", "dlt645"} <= found.keys()
    assert list(found) == sorted(found)
    assert found["m100"].kind is Kind.RFID
    assert found["dlt645"].kind is Kind.METER
    assert all(spec.name == name and spec.summary for name, spec in found.items())


def test_a_driver_by_name() -> None:
    assert registry.driver("m100") is registry.drivers()["m100"]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"driver 'm10' is unknown; did you mean 'm100'\? known drivers: .*dlt645"):
        registry.driver("m10")
    with pytest.raises(ConfigError, match="driver 'zzz' is unknown; known drivers: "):
        registry.driver("zzz")


def foreign(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("theirs", value, registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(
        registry, "entry_points", lambda group: importlib.metadata.EntryPoints([entry]).select(group=group)
    )


@pytest.mark.usefixtures("fresh")
def test_a_foreign_driver_may_not_take_a_name_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign("readers.rfid.m100:DRIVER", monkeypatch)
    with pytest.raises(ConfigError, match="two drivers are named 'm100'"):
        registry.drivers()


@pytest.mark.usefixtures("fresh")
def test_a_foreign_entry_that_is_no_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign("tests.readers.test_registry:NOT_A_SPEC", monkeypatch)
    with pytest.raises(ConfigError, match=r"'theirs' of group tagwharf\.drivers is no DriverSpec but object"):
        registry.drivers()


@pytest.mark.usefixtures("fresh")
def test_a_foreign_driver_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PACKAGES", ("readers.meters",))
    foreign("readers.rfid.m100:DRIVER", monkeypatch)
    assert {"m100", "dlt645"} <= registry.drivers().keys()
