"""What `tagwharf init` has to know, and the file that says it where nobody is there to be asked."""

from __future__ import annotations

import re
import socket
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import Field, ValidationError, model_validator

from gateway.config.faults import Faults
from gateway.config.positions import Positions
from gateway.config.table import Name, Table
from gateway.config.toml_file import parse, read
from gateway.contract.topics import NAME, RESERVED
from readers.errors import ConfigError

ADVICE: Final = "name the file of answers with --answers"
_LONGEST_NAME: Final = 64
_KEEP_DAYS_MOST: Final = 36_500


class SiteKind(StrEnum):
    """What the site is: it decides which example the site file comes with."""

    GATE = "gate"
    FACTORY = "factory"
    POWER_ROOM = "power-room"
    CAR_PARK = "car-park"
    OTHER = "other"


class Place(StrEnum):
    """Where a server is."""

    HERE = "here"
    ELSEWHERE = "elsewhere"


class StoreKind(StrEnum):
    """Where events go besides the event journal."""

    JOURNAL = "journal"
    INFLUXDB = "influxdb"


class SiteAnswers(Table):
    """The place."""

    name: Name = Field(description="Name of the site.")
    gateway: Name = Field("edge-1", description="Name of this gateway, unique on the site.")
    kind: SiteKind = Field(SiteKind.OTHER, description="gate, factory, power-room, car-park or other.")

    @model_validator(mode="after")
    def _leaves_topics_free(self) -> Self:
        if self.gateway in RESERVED:
            raise ValueError(f"gateway: {self.gateway!r} is a topic of its own; choose another name")
        return self


class BrokerAnswers(Table):
    """The MQTT broker."""

    where: Place = Field(Place.HERE, description="here: on this machine; elsewhere.")
    host: str = Field("127.0.0.1", min_length=1, max_length=255, description="Host of a broker elsewhere.")
    port: int = Field(1883, ge=1, le=65_535, description="Port of the broker.")
    ca_file: Path | None = Field(None, description="PEM of the authority of a broker elsewhere: it is asked by TLS.")
    user: str | None = Field(None, min_length=1, max_length=255, description="Our user at a broker elsewhere.")
    password_file: Path | None = Field(None, description="File with the password of that user.")

    @model_validator(mode="after")
    def _is_one_broker(self) -> Self:
        if self.where is Place.HERE:
            given = sorted(self.model_fields_set & {"host", "ca_file", "user", "password_file"})
            if given:
                raise ValueError(f"{given[0]}: is for a broker elsewhere; set where, or leave it out")
        elif "host" not in self.model_fields_set:
            raise ValueError("host: is missing; where is the broker?")
        if self.password_file is not None and self.user is None:
            raise ValueError("user: is missing; whose password is that?")
        return self


class StoreAnswers(Table):
    """The store of events."""

    kind: StoreKind = Field(StoreKind.JOURNAL, description="journal: the event journal alone; influxdb: besides it.")
    url: str = Field("http://127.0.0.1:8086", pattern=r"^https?://", description="Where InfluxDB is.")
    database: Name = Field("tagwharf", description="Database (InfluxDB 1) or bucket (2), made when it is not there.")
    keep_days: int = Field(365, ge=0, le=_KEEP_DAYS_MOST, description="Days that a new database keeps; 0: for ever.")
    admin_user: str | None = Field(None, min_length=1, max_length=255, description="Administrator of InfluxDB 1.")
    admin_password_file: Path | None = Field(None, description="File with the administrator's password.")
    org: str = Field("", max_length=255, description="Organisation (InfluxDB 2).")
    token_file: Path | None = Field(None, description="File with a token that may make buckets (InfluxDB 2).")

    @model_validator(mode="after")
    def _has_both_of_a_login(self) -> Self:
        if (self.admin_user is None) != (self.admin_password_file is None):
            raise ValueError("admin_user: goes with admin_password_file; give both or none")
        return self


class SearchAnswers(Table):
    """What may be looked at to find devices."""

    networks: list[str] = Field([], max_length=16, description="IPv4 networks to search, as 10.20.0.0/24; /22 at most.")
    mdns: bool = Field(default=True, description="Ask the local network who offers LLRP.")
    greet_readers: bool = Field(default=False, description="Connect to each LLRP reader once to see if it is free.")
    try_lines: bool = Field(default=False, description="Try the drivers of RFID readers on each serial adapter.")


class LineAnswers(Table):
    """What hangs on one serial adapter."""

    adapter: str = Field(min_length=1, max_length=255, description="Its name in /dev/serial/by-id.")
    driver: str = Field(description="`tagwharf readers` lists them.")
    name: Name | None = Field(None, description="Name of the reader; made of the driver's when absent.")


class Answers(Table):
    """All of it."""

    site: SiteAnswers
    broker: BrokerAnswers = BrokerAnswers()
    store: StoreAnswers = StoreAnswers()
    search: SearchAnswers = SearchAnswers()
    line: list[LineAnswers] = Field(default_factory=list)


def load_answers(path: Path) -> Answers:
    """Read a file of answers.

    Raises:
        ConfigError: all its faults, one line each.
    """
    text = read(path, ADVICE)
    raw = parse(path, text)
    try:
        return Answers.model_validate(raw)
    except ValidationError as error:
        faults = Faults(str(path), raw, Positions(text))
        faults.add_validation(error, Answers)
        raise ConfigError("\n".join(faults.lines())) from error


def default_answers() -> Answers:
    """What is taken where nobody is asked: the site is named after this machine."""
    return Answers(site=SiteAnswers(name=as_name(socket.gethostname(), "site")))


def as_name(text: str, otherwise: str) -> str:
    """The nearest name that may be a level of a topic."""
    made = re.sub(r"[^a-z0-9_-]+", "-", text.split(".", maxsplit=1)[0].lower()).strip("-_")[:_LONGEST_NAME]
    return made if NAME.fullmatch(made) and made not in RESERVED else otherwise
