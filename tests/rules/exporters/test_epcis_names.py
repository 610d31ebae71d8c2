"""What things, places and transactions are called in EPCIS."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.exports import EpcisExport
from rules.exporters.epcis_names import EpcisNames
from tests.rules.exporters.epcis_events import GLN, OWN, PALLET, PALLET_LINK

UNKNOWN = "E200001122334455"
BIC = "urn:epc:id:bic:CSQU3054383"
PREFIX = {"company_prefix": "4012345", "identifiers": "epc_uri"}


def names(**settings: Any) -> EpcisNames:
    return EpcisNames(EpcisExport.model_validate(settings), site="harbour")


@pytest.mark.parametrize(
    ("told", "uri"),
    [
        ({"epc": PALLET}, PALLET_LINK),
        ({"epc": PALLET, "name": "pallet 81"}, PALLET_LINK),
        ({"epc": UNKNOWN, "name": "pallet 81"}, f"{OWN}/thing/pallet%2081"),
        ({"epc": UNKNOWN}, f"{OWN}/tag/{UNKNOWN}"),
        ({"epc": UNKNOWN, "name": ""}, f"{OWN}/tag/{UNKNOWN}"),
        ({"epc": "lane-1"}, None),
        ({"name": "粤B12345"}, f"{OWN}/thing/%E7%B2%A4B12345"),
        ({"name": "a/b?c#d"}, f"{OWN}/thing/a%2Fb%3Fc%23d"),
        ({"name": "half \ud800"}, f"{OWN}/thing/half%20%3F"),
        ({"name": "CSQU 305438-3", "kind": "container", "epc": UNKNOWN}, BIC),
        ({"name": "CSQU3054384", "kind": "container", "epc": UNKNOWN}, f"{OWN}/thing/CSQU3054384"),
        ({"epc": UNKNOWN, "uri": BIC}, BIC),
        ({"epc": UNKNOWN, "uri": f"urn:epc:raw:64.x{UNKNOWN}"}, f"{OWN}/tag/{UNKNOWN}"),
        ({"epc": UNKNOWN, "uri": "https://tag.example/01/09506000134352/21/7?17=270131"}, "https://id.gs1.org/01/09506000134352/21/7"),
        ({"epc": "ABCDE"}, None),
        ({"epc": "300000000000000000000001", "name": "HH-AB 123"}, f"{OWN}/thing/HH-AB%20123"),
        ({"epc": "300000000000000000000001"}, f"{OWN}/tag/300000000000000000000001"),
        ({"uri": "urn:epc:id:sgtin:2812345.012345.7", "name": "7"}, f"{OWN}/thing/7"),
        ({"uri": "urn:epc:id:gsrn:0412345.0123456789", "name": "7"}, f"{OWN}/thing/7"),
        ({"uri": "urn:epc:id:gid:2.12345.400"}, "urn:epc:id:gid:2.12345.400"),
        ({}, None),
    ],
)  # fmt: skip
def test_things(told: dict[str, str], uri: str | None) -> None:
    assert names(uri=OWN).thing(**told) == uri


def test_without_an_own_url_only_what_has_a_number_has_a_name() -> None:
    found = names(gln=GLN)
    assert found.thing(epc=PALLET, name="pallet 81") == PALLET_LINK
    assert found.thing(name="CSQU3054383", kind="container") == BIC
    assert found.thing(epc=UNKNOWN, name="pallet 81") is None
    assert found.thing(epc=UNKNOWN) is None


def test_epc_uris() -> None:
    found = names(gln=GLN, uri=OWN, **PREFIX)
    assert found.thing(epc=PALLET) == "urn:epc:id:sscc:0614141.1234567890"
    assert found.place("yard-7") == "urn:epc:id:sgln:4012345.00000.yard-7"
    assert found.site() == "urn:epc:id:sgln:4012345.00000.0"
    # The tag says no length of the company prefix, so that there is no EPC URI of it.
    link = "https://tag.example/01/09506000134352/21/7?17=270131"
    assert found.thing(uri=link) == "https://id.gs1.org/01/09506000134352/21/7"


def test_places() -> None:
    found = names(
        gln=GLN, places={"quay": "4012345000115", "gate-3": "urn:epc:id:sgln:4012345.00077.9", "pool": f"{OWN}/pool"}
    )
    assert found.place("yard-7") == f"https://id.gs1.org/414/{GLN}/254/yard-7"
    assert found.place("quay") == "https://id.gs1.org/414/4012345000115"
    assert found.place("gate-3") == "https://id.gs1.org/414/4012345000771/254/9"
    assert found.place("pool") == f"{OWN}/pool"
    assert found.place("a" * 20) == f"https://id.gs1.org/414/{GLN}/254/{'a' * 20}"
    assert found.place("a" * 21) is None
    assert names(gln=GLN, uri=OWN).place("a" * 21) == f"{OWN}/place/{'a' * 21}"
    assert names(uri=OWN).place("yard-7") == f"{OWN}/place/yard-7"


def test_the_site() -> None:
    assert names(gln=GLN).site() == f"https://id.gs1.org/414/{GLN}"
    assert names(uri=OWN).site() == f"{OWN}/place/harbour"
    assert names(gln=GLN, places={"harbour": "4012345000115"}).site() == "https://id.gs1.org/414/4012345000115"
    assert names(uri=OWN, places={"harbour": f"{OWN}/port"}).site() == f"{OWN}/port"


def test_transactions() -> None:
    assert names(gln=GLN, uri=OWN).transaction("0a1b") == f"urn:epcglobal:cbv:bt:{GLN}:0a1b"
    assert names(uri=OWN).transaction("0a1b") == f"{OWN}/transaction/0a1b"


def test_containers() -> None:
    assert names(uri=OWN).container("csqu305438-3") == BIC
    assert names(uri=OWN).container("CSQU3054384") is None
    assert names(uri=OWN).container("") is None
