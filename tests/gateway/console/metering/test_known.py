from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.config.models import SiteFile
from gateway.config.rules import PackUse
from gateway.console.metering.known import KnownMachine, KnownMeter, Limit, machines_of, meters_of
from tests.gateway.console.metering.sites import PLANT


def site_of(directory: Path, text: str) -> SiteFile:
    path = directory / "site.toml"
    path.write_text(f'[site]\nname = "site"\n{text}')
    return load_site(path)


def test_meters_come_with_what_the_site_file_says_of_them(tmp_path: Path) -> None:
    assert meters_of(site_of(tmp_path, PLANT)) == [
        KnownMeter(
            name="feeder",
            reader="board",
            driver="dlt645",
            limit=Limit(limit_w=20_000, kind="sliding", interval_s=1800),
        ),
        KnownMeter(
            name="mains",
            reader="board",
            driver="dlt645",
            limit=Limit(limit_w=50_000),
            nominal_v=230,
            has_price=True,
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("port", {"meter": [{"name": "mains", "demand": {"contract_kw": 50}}]}),
        ("power", {}),
        ("power", {"meter": 3}),
        ("power", {"meter": [{"name": 7}, 5, {"name": "mains", "demand": "much"}]}),
        ("power", {"meter": [{"name": "mains", "demand": {"contract_kw": "a"}}]}),
        ("power", {"meter": [{"name": "mains", "demand": {"contract_kw": True}}]}),
        ("power", {"meter": [{"name": "mains", "demand": {"contract_kw": -4}}]}),
    ],
)
def test_other_packs_and_settings_that_are_none_make_no_limit(
    tmp_path: Path, kind: str, settings: dict[str, object]
) -> None:
    site = site_of(tmp_path, PLANT)
    site = site.model_copy(update={"pack": [PackUse(name="p", kind=kind, settings=settings)]})
    found = {meter.name: meter.limit for meter in meters_of(site)}
    assert found == {"feeder": Limit(limit_w=20_000, kind="sliding", interval_s=1800), "mains": None}


def test_machines_are_those_of_the_books_in_their_order(tmp_path: Path) -> None:
    assert machines_of(site_of(tmp_path, PLANT)) == [
        KnownMachine(
            name="warper-1",
            device="loom",
            reader="loom",
            driver="modbus_machine",
            state="machine_state",
            reason="stop_reason",
            counts=["good_count", "bad_count", "total_count"],
            unit="m",
            ideal_rate_per_min=300,
            meter="feeder",
            calendar=None,
            is_controlled=False,
        )
    ]


def test_a_site_without_any(tmp_path: Path) -> None:
    site = site_of(tmp_path, "")
    assert (meters_of(site), machines_of(site)) == ([], [])
