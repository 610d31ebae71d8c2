"""The tables `[exports.codeco]` and `[exports.dcsa]`: what a gate, its port and its partners are called by others."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.config.table import FieldName, Table

_LEVEL_A = "A-Z0-9 .,()/='+:?!\"%&*;<>-"
Reference = Annotated[str, StringConstraints(pattern=rf"^[{_LEVEL_A}]{{1,35}}$", strip_whitespace=True)]
"""A text that every EDIFACT program can read: capitals, digits, spaces and signs."""
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
"""A word of a code list of the directory."""


class Load(StrEnum):
    """What is in a container."""

    EMPTY = "empty"
    LADEN = "laden"


class Weighed(StrEnum):
    """What stands on the weighbridge of a gate."""

    TRUCK = "truck"
    CONTAINER = "container"


class CharacterSet(StrEnum):
    """Syntax levels of ISO 9735."""

    UNOA = "UNOA"
    UNOC = "UNOC"


class SealedBy(StrEnum):
    """Sealing parties, data element 9303."""

    CARRIER = "CA"
    CUSTOMS = "CU"
    SHIPPER = "SH"
    TERMINAL = "TO"


class FacilityList(StrEnum):
    """Who assigns facility codes."""

    SMDG = "SMDG"
    BIC = "BIC"


class FacilityType(StrEnum):
    """What a facility is, in DCSA's words."""

    PORT_TERMINAL = "POTE"
    INLAND_TERMINAL = "INTE"
    DEPOT = "DEPO"
    FREIGHT_STATION = "COFS"
    OFF_DOCK = "OFFD"
    RAMP = "RAMP"


class SealType(StrEnum):
    """Types of seals, in DCSA's words."""

    BOLT = "BLT"
    KEYLESS_PADLOCK = "KLP"
    WIRE = "WIR"


class SealSource(StrEnum):
    """Who sealed, in DCSA's words."""

    CARRIER = "CAR"
    SHIPPER = "SHI"
    PHYTOSANITARY = "PHY"
    VETERINARY = "VET"
    CUSTOMS = "CUS"


class GateExport(Table):
    """What every format needs to know of a gate."""

    un_location: str = Field(pattern=r"^[A-Z]{2}[A-Z2-9]{3}$", description="UN/LOCODE of the port: `CNSHA`.")
    size_type_field: FieldName | None = Field(
        None, description="Field of the transaction with the ISO 6346 size and type code, as `appointment_size_type`."
    )
    empty_field: FieldName | None = Field(
        None,
        description="Field of the transaction that says whether the container is empty: true, `empty`, `E`, or false, "
        "`laden`, `full`, `L`, `F`.",
    )
    load: Load | None = Field(None, description="What a container is when that field does not say it.")


class CodecoExport(GateExport):
    """CODECO D.95B, the gate report of UN/EDIFACT: who sends it to whom, and what it tells of a transaction."""

    sender: Reference = Field(description="Who reports, in the code that was agreed: in UNB and as NAD+MS.")
    sender_qualifier: str | None = Field(
        None, pattern=r"^[A-Z0-9]{1,4}$", description="Whose code that is in UNB, data element 0007: `14` for a GLN."
    )
    receiver: Reference = Field(description="To whom: in UNB and as NAD+MR.")
    receiver_qualifier: str | None = Field(None, pattern=r"^[A-Z0-9]{1,4}$", description="Whose code that is.")
    party_agency: Code = Field(
        "ZZZ",
        description="Who assigned these codes in NAD, data element 3055: `ZZZ` is mutually agreed, `9` is GS1, `20` "
        "the BIC, `87` the carrier.",
    )
    terminal: str = Field(pattern=r"^[A-Z0-9]{1,25}$", description="Code of the terminal, as in SMDG's list.")
    operator: Reference | None = Field(None, description="Who operates the containers, NAD+CF: code of the carrier.")
    operator_field: FieldName | None = Field(
        None, description="Field of the transaction with that code, as `appointment_line`; stronger than `operator`."
    )
    operator_agency: Code = Field("20", description="Who assigned that code: `20` the BIC, `166` is SCAC.")
    references: dict[Code, FieldName] = Field(
        default={},
        max_length=9,
        description="References of the container, and the fields of the transaction that hold them: "
        '`{ BN = "appointment_booking" }` for its booking number.',
    )
    weighed: Weighed = Field(
        Weighed.TRUCK, description="What weight_kg of the transaction is of: truck and container, or the container."
    )
    tare_field: FieldName | None = Field(
        None,
        description="Field with the weight of truck and chassis in kg, as `vehicle_tare_kg`: weight_kg less that is "
        "the container's gross weight. Without it none is told, unless the container alone is weighed.",
    )
    sealed_by: SealedBy | None = Field(None, description="Whose seals are read: `SH`, `CA`, `CU` or `TO`.")
    character_set: CharacterSet = Field(
        CharacterSet.UNOA, description="UNOA: capitals; UNOC: ISO 8859-1. What it cannot write is left out."
    )
    association: str = Field(
        "ITG14", pattern=r"^[A-Z0-9]{1,6}$", description="The guide that both sides follow, in UNH: `ITG14`, `SMDG20`."
    )
    test: bool = Field(default=False, description="Mark interchanges as tests.")


class DcsaExport(GateExport):
    """Equipment events of DCSA Track & Trace 2.2: what they tell of a transaction."""

    facility: str = Field(pattern=r"^[A-Z0-9]{1,6}$", description="Code of the terminal, without the UN/LOCODE.")
    facility_list: FacilityList = Field(FacilityList.SMDG, description="Who assigned it: `SMDG` or `BIC`.")
    facility_type: FacilityType = Field(FacilityType.PORT_TERMINAL, description="What it is: `POTE`, `DEPO`, ...")
    booking_field: FieldName | None = Field(
        None, description="Field of the transaction with the booking reference, as `appointment_booking`."
    )
    seal_type: SealType | None = Field(
        None, description="What seals are read: `BLT`, `KLP` or `WIR`. Without it no seal is told: DCSA asks for it."
    )
    seal_source: SealSource | None = Field(None, description="Whose they are: `CAR`, `SHI`, `PHY`, `VET`, `CUS`.")

    @model_validator(mode="after")
    def _tells_the_load(self) -> Self:
        if self.empty_field is None and self.load is None:
            raise ValueError("empty_field or load: one of them is needed; DCSA wants empty or laden of every container")
        return self
