"""Events of ours that have a meaning in EPCIS, told by hand and at random."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from gateway.config.exports import EpcisExport
from gateway.contract.events import Event, Evidence
from rules.exporters.epcis import EpcisExporter

AT_US: Final = 1_790_000_000_123_999
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
PALLET: Final = "3114257BF4499602D2000000"
"""The EPC of the logistic unit 106141412345678908, as an SSCC-96."""
PALLET_LINK: Final = "https://id.gs1.org/00/106141412345678908"
GLN: Final = "4012345000009"
OWN: Final = "https://id.harbour.example"
EVIDENCE: Final = Evidence(gateway="edge-1", epoch=7, sequence_from=1, sequence_to=2)
GATE: Final[dict[str, Any]] = {
    "direction": "in",
    "truck": "HH-AB 123",
    "truck_epc": "E200001122334455",
    "container": "CSQU3054383",
    "seal": "SEAL-1",
    "seal_state": "sealed",
    "weight_kg": 24_800.0,
    "weight_kg_at_us": AT_US - 9_000_000,
    "verdict": "open",
    "opened_at_us": AT_US - 15_000_000,
}


def event(kind: str = "arrived", at_us: int = AT_US, number: int = 0, **more: Any) -> Event:
    """An event; a pallet arrives in the yard unless told otherwise."""
    told: dict[str, Any] = {"subject": PALLET, "zone": "yard-7"} | more
    return Event(id=f"{number:020x}", type=kind, at_us=at_us, evidence=EVIDENCE, **told)


def gate(*without: str, number: int = 0, **more: Any) -> Event:
    """A gate transaction in lane 1, without some of its fields and with others."""
    fields = {name: value for name, value in (GATE | more).items() if name not in without}
    return event("gate-transaction", number=number, subject="lane-1", zone=None, fields=fields)


def exporter(zone: tzinfo = SHANGHAI, **settings: Any) -> EpcisExporter:
    """The exporter of a site with a GLN and a URL of its own, unless told otherwise."""
    table = settings or {"gln": GLN, "uri": OWN}
    return EpcisExporter(EpcisExport.model_validate(table), site="harbour", zone=zone)


_PLACES: Final = st.sampled_from(["gate-3-out", "yard-7", "quay", "a-place-with-a-name-that-is-too-long"])
_EPCS: Final = st.one_of(
    st.sampled_from(
        [
            PALLET,
            "3034257BF7194E4000001A85",  # sgtin-96
            "3614257BF7194E6CB2C5B0000000000000000000000000000000000000",
            "30340000000000000000000A",
            "DC20D3455CF0D74CF8CE",
            "E280116060000204A5C3D8F1",
        ]
    ),
    st.binary(min_size=2, max_size=12).map(lambda raw: (raw + raw)[: 2 * ((len(raw) + 1) // 2)].hex().upper()),
)
_NAMES: Final = st.none() | st.sampled_from(["CSQU3054383", "TWHU0001012", "pallet 81", "粤B12345", "a/b", "7.50"])
TIMES: Final = st.integers(1_500_000_000_000_000, 1_999_999_999_999_999)
_IDS: Final = st.integers(0, 2**80 - 1)


def _told(kind: str, at_us: int, number: int, **more: Any) -> Event:
    return event(kind, at_us, number, **more)


SEEN: Final = st.builds(
    _told,
    st.sampled_from(["arrived", "moved", "departed", "passage", "route-completed", "loaded"]),
    TIMES,
    _IDS,
    subject=_EPCS,
    name=_NAMES,
    zone=_PLACES,
    read_point=st.none() | _PLACES,
    direction=st.sampled_from([None, "in", "out"]),
    fields=st.fixed_dictionaries({}, optional={"class": st.sampled_from(["container", "pallet"])}),
)
GATES: Final = st.builds(
    _told,
    st.just("gate-transaction"),
    TIMES,
    _IDS,
    subject=st.just("lane-1"),
    zone=st.none(),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "direction": st.sampled_from(["in", "out"]),
            "verdict": st.sampled_from(["open", "hold", "trouble"]),
            "truck": st.sampled_from(["HH-AB 123", "粤B12345"]),
            "truck_epc": _EPCS,
            "container": st.sampled_from(["CSQU3054383", "TWHU0001012", "CSQU3054384"]),
            "seal": st.just("SEAL-1"),
            "seal_state": st.sampled_from(["sealed", "opened"]),
            "weight_kg": st.integers(0, 60_000).map(float) | st.integers(0, 6_000_000).map(lambda value: value / 100),
            "weight_kg_at_us": TIMES,
        },
    ),
)
"""With and without each part; one container number has a wrong check digit."""
EVENTS: Final = SEEN | GATES
SETTINGS: Final[tuple[dict[str, Any], ...]] = (
    {"gln": GLN, "uri": OWN, "zone_steps": {"quay": "loading"}, "steps": {"loaded": {"step": "loading"}}},
    {"gln": GLN, "company_prefix": "4012345", "identifiers": "epc_uri", "uri": OWN},
    {"uri": OWN, "steps": {"loaded": {"step": OWN + "/words/lashing", "disposition": "in_progress"}}},
    {"gln": GLN, "places": {"quay": "4012345000115", "harbour": "urn:epc:id:sgln:4012345.00077.0"}},
)
