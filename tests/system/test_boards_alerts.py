"""The queries of the alert rules on a real InfluxDB, filled by the product's encoder; what Grafana reckons is here."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.boards.installing.alerting import RULES, AlertRule, stages
from gateway.contract.events import Alarm, Evidence
from rules.outputs import Outputs, Point
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from tests.support.servers import Influx, influxd

DATABASE: Final = "boards"
NS_PER_S: Final = 1_000_000_000
BY_NAME: Final = {rule.name: rule for rule in RULES}
NOTHING: Final = Evidence(gateway="g", epoch=1, sequence_from=0, sequence_to=0)
Labels = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influxd(tmp_path_factory.mktemp("influx")) as running:
        yield running


class Store:
    """An empty database, written through the product's encoder, and the rules reckoned on it."""

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self._now_s = time.time()
        influx.post("/query", b"q=DROP%20DATABASE%20boards")
        influx.create_database(DATABASE)
        self._encoder = Encoder(site="port", guard=SeriesGuard(1000, lambda *_: None), store_reads=False)

    def points(self, *points: Point) -> None:
        self._write(Outputs(0, points=list(points)))

    def alarms(self, *alarms: Alarm) -> None:
        self._write(Outputs(0, alarms=list(alarms)))

    def point(self, measurement: str, ago_s: float, tags: dict[str, str], **fields: object) -> Point:
        at_ns = int((self._now_s - ago_s) * NS_PER_S)
        return Point(measurement, (("site", "port"), *tags.items()), tuple(fields.items()), at_ns)  # type: ignore[arg-type]  # values of the schema

    def alarm(self, state: str, ago_s: float, subject: str, since_ago_s: float, **more: Any) -> Alarm:
        at_us, since_us = (int((self._now_s - each) * 1_000_000) for each in (ago_s, since_ago_s))
        known = {"id": f"id-{subject}", "rule": "door", "severity": "critical", "message": "m", "evidence": NOTHING}
        return Alarm(**{**known, **more}, subject=subject, state=state, since_us=since_us, at_us=at_us)

    def _write(self, outputs: Outputs) -> None:
        lines = [line for part in self._encoder.lines(outputs) for line in part]
        assert lines
        self._influx.post(f"/write?db={DATABASE}&precision=n", "\n".join(lines).encode())

    def firing(self, name: str) -> set[Labels] | None:
        """Labels of the series that are beyond the limit; None when there are no data at all."""
        rule = BY_NAME[name]
        values = self._reckoned(rule)
        if not values:
            return None
        (limit,) = [each["model"]["conditions"][0]["evaluator"] for each in _data(rule) if each["refId"] == "C"]
        (bound,) = limit["params"]
        compare = {"gt": operator.gt, "lt": operator.lt}[limit["type"]]
        return {labels for labels, value in values.items() if compare(value, bound)}

    def _reckoned(self, rule: AlertRule) -> dict[Labels, float]:
        """Reductions and arithmetic as Grafana's documentation has them, up to `B`."""
        known: dict[str, dict[Labels, Any]] = {ref: self._asked(rule, text) for ref, text in rule.queries.items()}
        for each in _data(rule):
            ref, model = each["refId"], each["model"]
            if model.get("type") == "reduce":
                of, last = known[model["expression"]], {"last": True, "min": False}[model["reducer"]]
                known[ref] = {labels: values[-1] if last else min(values) for labels, values in of.items()}
            elif model.get("type") == "math":
                left, right = {"$D - $E": ("D", "E"), "2 * $D - $F": ("D", "F")}[model["expression"]]
                factor = 2 if model["expression"].startswith("2") else 1
                both = known[left].keys() & known[right].keys()
                known[ref] = {labels: factor * known[left][labels] - known[right][labels] for labels in both}
        return known["B"]

    def _asked(self, rule: AlertRule, text: str) -> dict[Labels, list[float]]:
        bound = f"time >= {int((self._now_s - rule.within_s) * 1000)}ms and time <= {int(self._now_s * 1000)}ms"
        rows = self._influx.query(DATABASE, text.replace("$timeFilter", bound))
        series: dict[Labels, list[float]] = {}
        for row in rows:
            tags = tuple(sorted((name, value) for name, value in row.items() if isinstance(value, str)))
            (value,) = [value for name, value in row.items() if name != "time" and isinstance(value, int | float)]
            assert math.isfinite(value)
            series.setdefault(tags, []).append(value)
        return series


def _data(rule: AlertRule) -> list[Any]:
    return list(stages(rule))


@pytest.fixture
def store(influx: Influx) -> Store:
    return Store(influx)


def labels(**named: str) -> Labels:
    return tuple(sorted({"site": "port", **named}.items()))


LEDGER: Final = {"heard": 9, "journalled": 9, "judged": 9, "dropped": 0, "unjudged": 0, "epoch": 1}


def ledger(store: Store, ago_s: float, gateway: str, *, balanced: bool = True, waiting: int = 0) -> Point:
    tags = {"gateway": gateway, "kind": "reads"}
    return store.point("ledger", ago_s, tags, **LEDGER, waiting=waiting, balanced=balanced)


@pytest.mark.parametrize("name", BY_NAME)
def test_an_empty_store_alarms_by_silence_alone(store: Store, name: str) -> None:
    assert store.firing(name) is None  # `noDataState` decides: Alerting for the rule about silence, OK for the others


def test_silence_is_the_absence_of_every_gateway(store: Store) -> None:
    store.points(ledger(store, 400, "east"))
    assert store.firing("silent") is None
    store.points(ledger(store, 10, "east"))
    assert store.firing("silent") == set()


def test_a_ledger_that_differs_is_found_by_gateway_and_kind(store: Store) -> None:
    store.points(
        ledger(store, 10, "east"), ledger(store, 10, "west", balanced=False), ledger(store, 300, "old", balanced=False)
    )
    assert store.firing("ledger-differs") == {labels(gateway="west", kind="reads")}


def test_a_backlog_is_what_grew_and_not_what_shrinks(store: Store) -> None:
    for minute in range(14):
        store.points(
            ledger(store, 840 - 60 * minute, "grows", waiting=1_000 * minute),
            ledger(store, 840 - 60 * minute, "shrinks", waiting=50_000 - 3_000 * minute),
            ledger(store, 840 - 60 * minute, "stands", waiting=90_000),
        )
    assert store.firing("backlog-grows") == {labels(gateway="grows", kind="reads")}


def test_an_outbox_is_judged_the_same(store: Store) -> None:
    for minute in range(14):
        for sink, queued in (("main", 900 * minute), ("desk", 10)):
            fields = {"made": 1, "stored": 1, "refused": 0, "queued": queued, "queued_bytes": 0, "is_down": False}
            store.points(store.point("sink", 840 - 60 * minute, {"sink": sink}, **fields))
    assert store.firing("outbox-grows") == {labels(sink="main")}


def test_a_sink_that_is_down_now(store: Store) -> None:
    fields = {"made": 1, "stored": 1, "refused": 0, "queued": 0, "queued_bytes": 0}
    for sink, ago_s, is_down in (("desk", 10, True), ("main", 10, False), ("back", 200, True), ("back", 10, False)):
        store.points(store.point("sink", ago_s, {"sink": sink}, **fields, is_down=is_down))
    assert store.firing("sink-down") == {labels(sink="desk")}


def test_a_device_is_offline_while_its_last_state_is_however_old(store: Store) -> None:
    day_s = 86_400
    for device, ago_s, state in (
        ("gate-1", 20 * day_s, "online"),
        ("gate-1", 10 * day_s, "offline"),
        ("gate-2", 600, "offline"),
        ("gate-2", 300, "online"),
        ("gate-3", 300, "degraded"),
    ):
        store.points(store.point("device_status", ago_s, {"device": device, "driver": "llrp"}, state=state, reason=""))
    assert store.firing("device-offline") == {labels(device="gate-1")}


def test_a_critical_alarm_stands_until_it_is_cleared(store: Store) -> None:
    assert store.firing("alarm-critical") is None
    store.alarms(store.alarm("raised", 500, "a", 500))
    door = {labels(rule="door")}
    assert store.firing("alarm-critical") == door
    store.alarms(store.alarm("raised", 450, "a", 500, acknowledged_by="anna", acknowledged_at_us=1))
    assert store.firing("alarm-critical") == door
    store.alarms(store.alarm("raised", 440, "b", 440), store.alarm("cleared", 400, "a", 500))
    assert store.firing("alarm-critical") == door
    store.alarms(store.alarm("cleared", 300, "b", 440))
    assert store.firing("alarm-critical") == set()
    store.alarms(store.alarm("raised", 200, "a", 200))  # the same alarm, anew: the same id
    assert store.firing("alarm-critical") == door
    store.alarms(store.alarm("cleared", 100, "a", 200))
    assert store.firing("alarm-critical") == set()


def test_a_warning_counts_from_its_escalation_on(store: Store) -> None:
    store.alarms(store.alarm("raised", 500, "a", 500, severity="warning"))
    assert store.firing("alarm-critical") is None
    store.alarms(store.alarm("raised", 300, "a", 500, escalated=True))
    assert store.firing("alarm-critical") == {labels(rule="door")}
    store.alarms(store.alarm("cleared", 200, "a", 500, escalated=True))
    assert store.firing("alarm-critical") == set()


def test_demand_is_above_its_limit_while_power_must_go(store: Store) -> None:
    for meter, ago_s, value in (("m1", 60, -5000.0), ("m1", 10, 700.0), ("m2", 60, 700.0), ("m2", 10, -5000.0)):
        tags = {"meter": meter, "quantity": "active_power_excess", "unit": "W"}
        store.points(store.point("reading", ago_s, tags, value=value, quality="computed"))
    assert store.firing("demand-above-limit") == {labels(meter="m1")}
