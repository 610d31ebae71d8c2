"""The tables `[[sink]]` that send to others: which events and alarms, as what documents, and where to."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from gateway.config.exports import EpcisExport
from gateway.config.gate_exports import CodecoExport, DcsaExport
from gateway.config.rules import Condition
from gateway.config.table import Name, PositiveSeconds, Table
from readers.credentials import CredentialName

ALL: Final = "*"

Chosen = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,63})$")]
"""A name, or all of them."""


class Format(StrEnum):
    """What a document is."""

    TAGWHARF = "tagwharf"
    CASE = "case"
    EPCIS = "epcis"
    CODECO = "codeco"
    DCSA = "dcsa"


OF_EVENTS: Final = frozenset({Format.EPCIS, Format.CODECO, Format.DCSA})
"""Formats of exporters, which know no alarms."""


class Exports(Table):
    """What events are called in the formats of others: a sink with such a `format` needs its table."""

    epcis: EpcisExport | None = Field(None, description="EPCIS 2.0.")
    codeco: CodecoExport | None = Field(None, description="UN/EDIFACT CODECO, the gate report.")
    dcsa: DcsaExport | None = Field(None, description="DCSA Track & Trace.")


class RespondWithin(Table):
    """How long people have for a case, from the beginning of its alarm."""

    critical: PositiveSeconds = Field(900, description="Seconds for a critical alarm.")
    warning: PositiveSeconds = Field(14_400, description="Seconds for a warning.")
    info: PositiveSeconds = Field(86_400, description="Seconds for an information.")


class Sending(Table):
    """What every sink has that sends documents to others."""

    name: Name = Field(description="Name of the sink, unique.")
    format: Format = Field(
        Format.TAGWHARF,
        description="`tagwharf`: our events and alarms in JSON; `case`: each alarm as a case of a service desk, with "
        "its time limit; `epcis`, `codeco`, `dcsa`: events in the formats of others.",
    )
    events: list[Chosen] = Field(default=[], description='Types of the events that are sent; `["*"]` for all.')
    alarms: list[Chosen] = Field(
        default=[ALL], description='Rules whose alarms are sent, or names of our own alarms; `["*"]` for all of them.'
    )
    when: Condition = Field("true", description="Which of these events: a condition as in rules.")
    alarm_when: Condition = Field("true", description="Which of these alarms: a condition on the fields of an alarm.")
    respond_within_s: RespondWithin = Field(
        RespondWithin(), description="The time limit of a `case`, by severity, in seconds from the alarm's beginning."
    )
    outbox_bytes: int = Field(
        1 << 30, ge=1 << 20, description="What may wait for the other side; beyond it the oldest are shed, counted."
    )

    @model_validator(mode="after")
    def _sends_something(self) -> Self:
        given = self.model_fields_set
        if self.format is Format.CASE and self.events:
            raise ValueError("events: become no cases; leave them out, or send them by another sink")
        if self.format in OF_EVENTS:
            if not self.events:
                raise ValueError(f"events: are missing; {self.format.value} is made of events")
            if "alarms" in given and self.alarms:
                raise ValueError(f"alarms: {self.format.value} is made of events only; leave them out")
        elif not self.events and not self.alarms:
            raise ValueError("events: name some, or alarms; this sink would send nothing")
        return self


class DirectorySink(Sending):
    """A directory that others take files from: each document is one file, written whole or not at all."""

    kind: Literal["directory"]
    directory: Path = Field(description="Where; it must exist. Relative to the site file.")
    keep_days: float = Field(
        0, ge=0, le=36_500, description="Our own files that are older are deleted; 0: never, whoever reads them does."
    )


class WebhookSettings(Sending):
    """What a webhook has, but for TLS."""

    url: str = Field(
        pattern=r"^https?://",
        max_length=2_000,
        description="Where each document is posted to: https://HOST/PATH, or http:// on this machine.",
    )
    insecure: bool = Field(
        default=False, description="Allow http:// to other machines: everybody on the way can read what is sent."
    )
    authorization_credential: CredentialName | None = Field(
        None, description="The systemd credential that holds the value of the header Authorization, `Bearer ...`."
    )
    timeout_s: PositiveSeconds = Field(15, description="How long one request may take.")
    give_up_after_s: Annotated[float, Field(ge=0, le=31_536_000)] = Field(
        0,
        description="A document that the receiver has answered with 409 or 500 for so long goes to the quarantine, so "
        "that the others can follow; 0: never.",
    )

    @field_validator("url")
    @classmethod
    def _names_a_host(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname) and parts.port != 0
        except ValueError:
            named = False
        if not named or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("must be the URL of a host, as in https://desk.example/hooks/tagwharf")
        return url

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        if self.url.startswith("http://") and not self.insecure and not on_this_machine(self.url):
            raise ValueError("url: http:// to another machine can be read on the way; use https://, or insecure = true")
        return self


def on_this_machine(url: str) -> bool:
    """Whether a URL leads to loopback."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
