"""The tables `[exports.…]`: what events are called in the formats of others."""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gateway.config.table import Name, Table

BIZ_STEPS: Final = frozenset(
    {
        "accepting",
        "arriving",
        "assembling",
        "collecting",
        "commissioning",
        "consigning",
        "creating_class_instance",
        "cycle_counting",
        "decommissioning",
        "departing",
        "destroying",
        "disassembling",
        "dispensing",
        "encoding",
        "entering_exiting",
        "holding",
        "inspecting",
        "installing",
        "killing",
        "loading",
        "other",
        "packing",
        "picking",
        "receiving",
        "removing",
        "repackaging",
        "repairing",
        "replacing",
        "reserving",
        "retail_selling",
        "sampling",
        "sensor_reporting",
        "shipping",
        "staging_outbound",
        "stock_taking",
        "stocking",
        "storing",
        "transporting",
        "unloading",
        "unpacking",
        "void_shipping",
    }
)
"""Business steps. Source: GS1 Core Business Vocabulary 2.0, section 7.1."""
DISPOSITIONS: Final = frozenset(
    {
        "active",
        "available",
        "completeness_inferred",
        "completeness_verified",
        "conformant",
        "container_closed",
        "container_open",
        "damaged",
        "destroyed",
        "dispensed",
        "disposed",
        "encoded",
        "expired",
        "in_progress",
        "in_transit",
        "inactive",
        "mismatch_class",
        "mismatch_instance",
        "mismatch_quantity",
        "needs_replacement",
        "no_pedigree_match",
        "non_conformant",
        "non_sellable_other",
        "partially_dispensed",
        "recalled",
        "reserved",
        "retail_sold",
        "returned",
        "sellable_accessible",
        "sellable_not_accessible",
        "stolen",
        "unavailable",
        "unknown",
    }
)
"""Dispositions. Source: GS1 Core Business Vocabulary 2.0, section 7.2."""
GATE_TRANSACTION: Final = "gate-transaction"
"""The type of the event that tells of a truck at a gate, and of nothing else."""
MOST_EXTENSION: Final = 20
"""Characters of the extension of a GLN, AI (254). Source: GS1 General Specifications, Application Identifier (254)."""
_URI: Final = re.compile(r"(https?|urn):[!-~]{3,300}", re.ASCII)
_GLN: Final = re.compile(r"[0-9]{13}", re.ASCII)


def _gln(text: str) -> str:
    digits = [int(digit) for digit in text[:12]]
    right = str(-(3 * sum(digits[::-2]) + sum(digits[-2::-2])) % 10)
    if text[12:] != right:
        raise ValueError(f"the last digit of a GLN checks the others: must be {right}")
    return text


def _place(text: str) -> str:
    if _GLN.fullmatch(text):
        return _gln(text)
    return _uri(text, "a GLN of 13 digits, or a URI as in urn:epc:id:sgln:4012345.00001.7 or https://id.example/yard")


def _uri(text: str, what: str = "a URI as in https://id.example/tagwharf") -> str:
    try:
        parts = urlsplit(text)
        fits = _URI.fullmatch(text) is not None and (parts.scheme == "urn" or bool(parts.hostname))
    except ValueError:
        fits = False
    if not fits or re.search(r'[<>"{}|\\^`]|%(?![0-9A-Fa-f]{2})', text):
        raise ValueError(f"must be {what}")
    return text


def _base(text: str) -> str:
    _uri(text)
    if not text.startswith("http") or "?" in text or "#" in text:
        raise ValueError("must begin with https:// or http://, without ? and #; names are appended to it")
    return text.rstrip("/")


def _word(text: str, known: frozenset[str], what: str) -> str:
    if text in known or (":" in text and _is_own(text)):
        return text
    near = difflib.get_close_matches(text, sorted(known), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"is no {what} of GS1's Core Business Vocabulary, and no URI of your own{hint}")


def _is_own(text: str) -> bool:
    try:
        _uri(text)
    except ValueError:
        return False
    return not text.startswith(("urn:epcglobal:cbv", "http://ns.gs1.org/cbv/", "https://ns.gs1.org/cbv/"))


Gln = Annotated[str, StringConstraints(pattern=r"^[0-9]{13}$"), AfterValidator(_gln)]
Place = Annotated[str, StringConstraints(max_length=300), AfterValidator(_place)]
BaseUri = Annotated[str, StringConstraints(max_length=200), AfterValidator(_base)]
BizStep = Annotated[str, AfterValidator(lambda text: _word(text, BIZ_STEPS, "business step"))]
Disposition = Annotated[str, AfterValidator(lambda text: _word(text, DISPOSITIONS, "disposition"))]


class Identifiers(StrEnum):
    """How GS1 identifiers are written."""

    DIGITAL_LINK = "digital_link"
    EPC_URI = "epc_uri"


class EpcisStep(Table):
    """What an event means in EPCIS."""

    step: BizStep | None = Field(None, description="Business step: a word of the Core Business Vocabulary, or a URI.")
    disposition: Disposition | None = Field(None, description="Disposition of the things: such a word, or a URI.")


class EpcisExport(Table):
    """EPCIS 2.0: what things, places and business steps are called in its events."""

    gln: Gln | None = Field(
        None, description="The site's own GLN, 13 digits. Places become its extensions, transactions bear it."
    )
    company_prefix: str | None = Field(
        None,
        pattern=r"^[0-9]{6,12}$",
        description='The GS1 Company Prefix that the GLN begins with; needed for `identifiers = "epc_uri"`.',
    )
    uri: BaseUri | None = Field(
        None,
        description="A URL of your own. What has no GS1 number is called by it: URL/thing/NAME, URL/tag/EPC, "
        "URL/place/NAME, URL/transaction/ID. Without it such things are left out.",
    )
    identifiers: Identifiers = Field(
        Identifiers.DIGITAL_LINK,
        description="digital_link: `https://id.gs1.org/…`; epc_uri: `urn:epc:id:…`, which EPCIS 1 knows, too.",
    )
    places: dict[Name, Place] = Field(
        default={}, description="Zones, portals, lanes and read points that have a GLN or a URI of their own."
    )
    zone_steps: dict[Name, BizStep] = Field(
        default={}, description='What is done in a zone: `"quay" = "loading"`; for things that arrive or move there.'
    )
    steps: dict[Name, EpcisStep] = Field(
        default={},
        description="Further types of events that are sent, of rules of yours, or other meanings of those that are "
        'known: `loaded = { step = "loading" }`.',
    )

    @model_validator(mode="after")
    def _leaves_gates_alone(self) -> Self:
        if GATE_TRANSACTION in self.steps:
            raise ValueError(f"steps.{GATE_TRANSACTION}: its meaning is in its direction and verdict; leave it out")
        return self

    @model_validator(mode="after")
    def _names_places(self) -> Self:
        if self.gln is None and self.uri is None:
            raise ValueError("gln or uri: one of them is needed; places would have no name")
        if self.identifiers is Identifiers.EPC_URI:
            glns = [self.gln, *(place for place in self.places.values() if _GLN.fullmatch(place))]
            for gln in glns:
                if gln is not None and (self.company_prefix is None or not gln.startswith(self.company_prefix)):
                    raise ValueError(
                        f"company_prefix: must be what the GLN {gln} begins with, 6 to 12 digits; an EPC URI needs it"
                    )
        return self

    def unnamed(self, names: list[str]) -> list[str]:
        """Those of these places that would have no name: too long for the extension of a GLN."""
        if self.uri is not None:
            return []
        return [name for name in names if name not in self.places and len(name) > MOST_EXTENSION]
