"""The models of `site.toml`. Unknown keys are faults; a default makes the shortest file work.

Faults of meaning across tables (one port twice, an unknown read point) are found by `gateway.config.load`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.config.console import Console
from gateway.config.control import Control
from gateway.config.energy import Energy
from gateway.config.machines import Production
from gateway.config.plan import Plan
from gateway.config.rules import LookUpTable, Order, PackUse, Rule
from gateway.config.sinks import DirectorySink, Exports, WebhookSettings
from gateway.config.table import Name, PositiveSeconds, Table
from readers.credentials import CredentialName
from readers.driver import Parity

Epc = Annotated[str, StringConstraints(pattern=r"^([0-9A-F]{4}){1,31}$")]
"""An EPC in upper-case hex, whole 16-bit words."""


class Site(Table):
    """The place, and this gateway in it."""

    name: Name = Field(description="Name of the site; a level of every MQTT topic.")
    gateway: Name = Field("edge-1", description="Name of this edge daemon, unique on the site.")
    state_dir: Path = Field(
        Path("/var/lib/tagwharf"), description="Where journals live. systemd's STATE_DIRECTORY goes before it."
    )
    assets: Path | None = Field(
        None,
        description="The things of the site: a CSV file with the columns epc, tid or card, then name,kind,class; or "
        "what `tagwharf registry import` made of one. Read again when it changes. Relative to the site file.",
    )


class Acknowledge(StrEnum):
    """Who releases rows of the edge journal."""

    RULES = "rules"
    BROKER = "broker"


class Tls(Table):
    """How the other side proves itself, and how we do."""

    ca_file: Path | None = Field(None, description="PEM of the authority; the system's authorities when absent.")
    certificate_file: Path | None = Field(None, description="PEM of our own certificate (mutual TLS).")
    key_file: Path | None = Field(None, description="PEM of our own key.")
    fingerprint_sha256: str | None = Field(
        None,
        pattern=r"^([0-9A-Fa-f]{2}:?){32}$",
        description="Pin one certificate instead of an authority (readers, stores and webhooks only).",
    )
    server_name: str | None = Field(None, description="Name in the certificate, where it is not the host name.")


class MqttUsers(Table):
    """Users of the daemons at the broker, where they are not one: each has then rights of its own."""

    edge: str | None = Field(None, min_length=1, description="User of the edge daemon.")
    rules: str | None = Field(None, min_length=1, description="User of the rules daemon.")
    console: str | None = Field(None, min_length=1, description="User of the console.")
    operators: str | None = Field(
        None, min_length=1, description="User of the commands that people give: orders, alarms, ledgers."
    )


class Mqtt(Table):
    """The broker."""

    host: str = Field("127.0.0.1", description="Host of the broker.")
    port: int = Field(1883, ge=1, le=65535, description="Port of the broker; 8883 is usual with TLS.")
    tls: Tls | None = Field(None, description="TLS to the broker, verified always.")
    user: str | None = Field(None, description="User name; the password is the systemd credential `mqtt-password`.")
    users: MqttUsers | None = Field(
        None,
        description="A user for each daemon instead; the password is the credential `mqtt-password` of its own unit.",
    )
    acknowledge: Acknowledge = Field(
        Acknowledge.RULES, description="Who releases the edge journal: `rules` (watermark) or `broker` (PUBACK)."
    )
    window_batches: int = Field(500, ge=1, le=10_000, description="Batches sent ahead of the rules daemon at most.")

    def of(self, daemon: Literal["edge", "rules", "console", "operators"]) -> Mqtt:
        """The broker as this daemon sees it: with its own user."""
        own: str | None = getattr(self.users, daemon, None)
        return self if own is None else self.model_copy(update={"user": own})


class IdentityStyle(StrEnum):
    """What names a card."""

    KEYED = "keyed"
    RAW = "raw"


class Cards(Table):
    """How cards are named in messages, journals and stores."""

    identity: IdentityStyle = Field(
        IdentityStyle.KEYED,
        description="`keyed`: by a hash with the key in the systemd credential `card-key`; `raw`: by their numbers, "
        "which are personal data.",
    )


class Journal(Table):
    """The edge journal: the source of truth, and the flight recorder."""

    commit_every_s: float = Field(
        0.02, ge=0.001, le=1, description="Group commit: the longest a batch waits for its fsync."
    )
    keep_days: float = Field(7, gt=0, le=3650, description="Judged rows are kept this long as evidence.")
    keep_bytes: int = Field(4 << 30, ge=16 << 20, description="Judged rows beyond this are deleted, oldest first.")
    limit_bytes: int = Field(
        16 << 30,
        ge=16 << 20,
        description="The hard bound: beyond it unjudged rows are shed, oldest telemetry first, counted.",
    )


class Line(Table):
    """How a serial line is set; what is absent comes from the driver."""

    baud: int | None = Field(None, ge=300, le=4_000_000, description="Bits per second.")
    parity: Parity | None = Field(None, description="none, even or odd.")
    stop_bits: Literal[1, 2] | None = Field(None, description="1 or 2.")
    strip_echo: bool | None = Field(
        None, description="The adapter hears its own sending (two-wire RS-485 without control)."
    )


class Login(Table):
    """Who we are to the other side."""

    user: str = Field(min_length=1, max_length=255, description="User name.")
    password_credential: CredentialName = Field(
        "reader-password", description="Name of the systemd credential with the password."
    )


class Reader(Table):
    """One reader, or one line of meters."""

    name: Name = Field(description="Its name on the site: a level of its MQTT topics.")
    driver: str = Field(description="`tagwharf readers` lists them.")
    port: str = Field(
        description="tcp://HOST[:PORT], tls://HOST[:PORT], /dev/serial/by-id/..., socket://HOST:PORT, "
        "rfc2217://HOST:PORT, mqtt://HOST[:PORT]/TOPIC, mqtts://HOST[:PORT]/TOPIC, opc.tcp://HOST[:PORT][/PATH], "
        "http://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH], pcsc:READER NAME."
    )
    read_points: dict[Annotated[int, Field(ge=1, le=255)], Name] = Field(
        default_factory=dict,
        description="Antenna port to read point. A port that is not named becomes `{reader}-{port}`.",
    )
    line: Line | None = Field(None, description="Settings of a serial line.")
    tls: Tls | None = Field(
        None,
        description="TLS to the reader or its broker, for tls://, mqtts:// and https:// ports; for "
        "opc.tcp:// ports the certificates of a secured session.",
    )
    login: Login | None = Field(
        None,
        description="Our user at the reader's broker or server, for mqtt://, mqtts://, opc.tcp:// and https:// ports.",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="What the driver lets you set; see its page.")


class Zone(Table):
    """A place made of read points. A read point that no zone names is a zone of its own name."""

    name: Name = Field(description="Name of the zone.")
    read_points: list[Name] = Field(min_length=1, description="The read points that cover it.")
    arrive_reads: int = Field(2, ge=1, le=1000, description="Air reads that make an arrival; one stray read does not.")
    arrive_within_s: PositiveSeconds = Field(2.0, description="... within this time.")
    depart_after_s: PositiveSeconds = Field(
        5.0, description="Silence that makes a departure, counted only while the zone was watched."
    )
    rssi_floor_dbm: float | None = Field(None, ge=-120, le=0, description="Weaker reads are not counted.")


class Portal(Table):
    """A lane that tags pass through: two sides, each seen by its own read points."""

    name: Name = Field(description="Name of the lane.")
    outer: list[Name] = Field(min_length=1, description="Read points of the side away from the site.")
    inner: list[Name] = Field(min_length=1, description="Read points of the side towards the site.")
    close_after_s: PositiveSeconds = Field(3.0, description="Silence, while watched, that ends a passage.")
    least_reads: int = Field(
        4, ge=1, le=1000, description="Fewer air reads on both sides together are a stray, not a passage."
    )
    rssi_floor_dbm: float | None = Field(None, ge=-120, le=0, description="Weaker reads are not counted.")


class SinkBase(Table):
    """What every store has."""

    name: Name = Field(description="Name of the sink, unique.")
    store_reads: bool = Field(
        default=False, description="Store every single read, not only events, readings and read rates."
    )


class JournalSink(SinkBase):
    """The event journal: local SQLite, a file per day."""

    kind: Literal["journal"]
    directory: Path | None = Field(None, description="Where; `events` in the state directory when absent.")
    keep_days: float = Field(90, gt=0, le=36500, description="Days that are kept; older files are deleted.")


class InfluxApi(StrEnum):
    """Which write interface a server has."""

    V2 = "v2"
    V1 = "v1"


class InfluxSink(SinkBase):
    """InfluxDB 2.x and 3, VictoriaMetrics (`v2`), or InfluxDB 1.x (`v1`)."""

    kind: Literal["influxdb"]
    url: str = Field(pattern=r"^https?://", description="http://HOST:8086")
    api: InfluxApi = Field(InfluxApi.V2, description="v2 (/api/v2/write) or v1 (/write).")
    org: str = Field("", description="Organisation (v2).")
    bucket: str = Field("tagwharf", description="Bucket (v2) or database (v1).")
    user: str | None = Field(
        None, description="User (v1). The token or password is the systemd credential `influx-{name}`."
    )
    tls: Tls | None = Field(
        None, description="TLS of an https:// url, verified always, for an own authority, a pin or our certificate."
    )
    gzip: bool = Field(default=False, description="Compress requests: for a thin line; costs twice the work.")
    batch_lines: int = Field(5000, ge=1, le=50_000, description="Lines in one request at most.")
    timeout_s: PositiveSeconds = Field(10, description="How long one request may take.")
    series_budget: int = Field(100_000, ge=1, description="Distinct series before the cardinality guard alarms.")
    outbox_bytes: int = Field(
        4 << 30, ge=1 << 20, description="What may wait for the store; beyond it the oldest reads are shed."
    )


class WebhookSink(WebhookSettings):
    """A web server of others: each document is posted to it, signed, in order, until it says that it has it.

    The key that signs is the systemd credential `webhook-{name}`.
    """

    kind: Literal["webhook"]
    tls: Tls | None = Field(None, description="TLS, verified always; for an own authority, a pin or our certificate.")


AnySink = JournalSink | InfluxSink | WebhookSink | DirectorySink
Sink = Annotated[AnySink, Field(discriminator="kind")]


class RulesSettings(Table):
    """The rules daemon."""

    file: Path | None = Field(
        None,
        description="A file with all [[rule]], [[table]] and [[pack]] tables, which then must not stand here; either "
        "way they are read again when they change. Relative to the site file.",
    )
    commit_every_s: float = Field(
        0.025, ge=0.005, le=5, description="Snapshot of state, outputs and watermark together."
    )
    lateness_s: float = Field(
        0.5, ge=0, le=60, description="How late a read may come and still be judged in its order."
    )
    read_rate_every_s: PositiveSeconds = Field(10, description="Interval of the read-rate aggregates.")
    platform_every_s: float = Field(
        10,
        ge=0,
        le=3600,
        description="Interval of the points about the platform itself: ledgers, sinks, latency and the cost of each "
        "rule; 0 switches them off.",
    )
    forget_after_s: PositiveSeconds = Field(86_400, description="State of a tag not seen for so long is forgotten.")
    historical_after_s: float = Field(
        300,
        ge=10,
        description="What waited longer than this at the edge, while broker or rules were away, makes events marked "
        "`historical`, and raises no alarm until the present is reached.",
    )
    alarm_roles: list[Name] = Field(
        default=[], description="Roles of a [[control.person]] that may acknowledge and clear alarms; all when empty."
    )


class Health(Table):
    """/metrics, /healthz and /readyz of the daemons."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    edge_port: int = Field(9161, ge=0, le=65535, description="Port of the edge daemon; 0 switches it off.")
    rules_port: int = Field(9162, ge=0, le=65535, description="Port of the rules daemon; 0 switches it off.")


def _journal() -> list[AnySink]:
    return [JournalSink(kind="journal", name="events")]


class SiteFile(Table):
    """The whole of `site.toml`."""

    site: Site
    mqtt: Mqtt = Mqtt()
    cards: Cards = Cards()
    journal: Journal = Journal()
    rules: RulesSettings = RulesSettings()
    health: Health = Health()
    console: Console = Console()
    plan: Plan = Plan()
    control: Control = Control()
    energy: Energy = Energy()
    production: Production = Production()
    reader: list[Reader] = Field(default_factory=list)
    zone: list[Zone] = Field(default_factory=list)
    portal: list[Portal] = Field(default_factory=list)
    table: list[LookUpTable] = Field(default_factory=list)
    pack: list[PackUse] = Field(default_factory=list)
    rule: list[Rule] = Field(default_factory=list)
    order: list[Order] = Field(default_factory=list)
    exports: Exports = Exports()
    sink: list[Sink] = Field(default_factory=_journal)
