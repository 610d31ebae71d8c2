import re

import pytest

from gateway.boards.making import queries
from gateway.boards.making.queries import (
    MOST_ROWS,
    QueryError,
    Select,
    Shape,
    Span,
    Where,
    chosen,
    count,
    different,
    field_like,
    growth,
    growth_per_s,
    is_,
    is_not,
    last,
    like,
    mean,
    most,
    percentile,
    ratio,
    rows,
    series,
    share_of_time,
    single,
    states,
    sums,
    tag_values,
    total,
    unlike,
)


def test_a_curve_for_each_value_of_a_tag() -> None:
    made = series("event", count("id"), is_("event", "yard-move"), chosen("zone"), by=("zone",), alias="$tag_zone")
    assert made.text == (
        'SELECT count("id") FROM "event" WHERE "event" = \'yard-move\' AND "zone" =~ /^$zone$/ AND $timeFilter '
        'GROUP BY time($__interval), "zone" fill(null)'
    )
    assert made.shape is Shape.SERIES
    assert made.variables == {"zone"}


def test_one_number_of_all_the_time() -> None:
    made = single("figure", percentile("value", 90), is_("figure", "turn_s", "queue_s"), alias="turn")
    assert made.text == (
        'SELECT percentile("value", 90) FROM "figure" WHERE ("figure" = \'turn_s\' OR "figure" = \'queue_s\') '
        "AND $timeFilter"
    )


def test_a_table_of_sums_with_another_span() -> None:
    made = sums("read_rate", {"before": ratio("reads", "watched_s")}, by=("read_point",), span=Span.WEEK_BEFORE)
    assert made.text == (
        'SELECT sum("reads") / sum("watched_s") AS "before" FROM "read_rate" '
        'WHERE time >= ${__from}ms - 7d AND time < ${__from}ms GROUP BY "read_point"'
    )
    assert made.columns == ("read_point", "before")
    assert made.variables == frozenset()


def test_newest_rows_and_changes_of_state() -> None:
    assert rows("alarm", ("rule", "id"), is_not("severity", "info", "warning"), limit=20).text == (
        'SELECT "rule", "id" FROM "alarm" WHERE ("severity" != \'info\' AND "severity" != \'warning\') '
        "AND $timeFilter ORDER BY time DESC LIMIT 20"
    )
    assert states("device_status", "state", alias="$tag_device", by=("device",), limit=5).text == (
        'SELECT "state" FROM "device_status" WHERE $timeFilter GROUP BY "device" ORDER BY time DESC LIMIT 5'
    )


@pytest.mark.parametrize(
    ("select", "text"),
    [
        (mean("p50_ms"), 'mean("p50_ms")'),
        (most("p50_ms", times=0.001), 'max("p50_ms") * 0.001'),
        (total("batches"), 'sum("batches")'),
        (last("batches"), 'last("batches")'),
        (growth("batches"), 'non_negative_difference(last("batches"))'),
        (growth_per_s("batches"), 'non_negative_difference(last("batches")) / $__interval_ms * 1000'),
        (share_of_time("p50_ms", times=1), 'sum("p50_ms") / $__interval_ms'),
        (different("batches"), 'count(distinct("batches"))'),
    ],
)
def test_columns(select: Select, text: str) -> None:
    assert single("latency", select, alias="a").text == f'SELECT {text} FROM "latency" WHERE $timeFilter'


def test_values_of_a_tag() -> None:
    assert tag_values("event", "zone", is_("event", "it's")) == (
        'SHOW TAG VALUES FROM "event" WITH KEY = "zone" WHERE "event" = \'it\\\'s\''
    )
    assert tag_values("ledger", "gateway") == 'SHOW TAG VALUES FROM "ledger" WITH KEY = "gateway"'


def test_patterns_of_tags_and_fields() -> None:
    asked = (like("rule", "-wip$"), unlike("rule", r"^\("), field_like("fields", '"verdict":"open"'))
    assert single("event", count("id"), *asked, alias="a").text.split(" WHERE ")[1] == (
        '"rule" =~ /-wip$/ AND "rule" !~ /^\\(/ AND "fields" =~ /"verdict":"open"/ AND $timeFilter'
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: single("evnt", count("id"), alias="a"), "there is no measurement 'evnt'"),
        (lambda: single("event", count("ide"), alias="a"), "event has no field 'ide'"),
        (lambda: single("event", mean("subject"), alias="a"), "event.subject is str: mean"),
        (lambda: single("event", mean("historical"), alias="a"), "event.historical is bool: mean"),
        (lambda: single("event", growth("subject"), alias="a"), "event.subject is str: last"),
        (lambda: single("event", last("subject", times=2), alias="a"), "event.subject is str: last"),
        (lambda: single("read_rate", ratio("reads", "subject"), alias="a"), "read_rate has no field 'subject'"),
        (lambda: single("event", Select("holt_winters", "reads"), alias="a"), "holt_winters is none of"),
        (lambda: single("event", Select("percentile", "reads"), alias="a"), "percentile, and nothing else"),
        (lambda: single("event", Select("max", "reads", 90), alias="a"), "percentile, and nothing else"),
        (lambda: single("event", count("id"), is_("subject", "x"), alias="a"), "event has no tag 'subject'"),
        (lambda: single("event", count("id"), field_like("zone", "x"), alias="a"), "event has no field 'zone'"),
        (lambda: single("event", count("id"), field_like("reads", "x"), alias="a"), "event.reads is no text"),
        (lambda: single("event", count("id"), Where("zone"), alias="a"), "needs values or a pattern"),
        (lambda: single("event", count("id"), by=("subject",), alias="a"), "only tags are grouped by"),
        (lambda: single("tag_read", count("epc"), by=("epc",), alias="a"), "tag_read has no tag 'epc'"),
        (lambda: single("event", count("id"), alias="$tag_zone"), "which is not grouped by"),
        (lambda: single("event", count("id"), alias=""), "without an alias"),
        (lambda: series("event", count("id"), alias="a", fill="linear"), "fill\\(linear\\)"),
        (lambda: sums("event", {"n": count("id")}, by=()), "needs tags to group by"),
        (lambda: sums("event", {'n" x': count("id")}, by=("zone",)), "is no name of a column"),
        (lambda: rows("event", ("idd",), limit=1), "event has no column 'idd'"),
        (lambda: rows("event", ("zone",), limit=1), "must be a field"),
        (lambda: rows("event", ("id",), limit=0), "limit must be"),
        (lambda: rows("event", ("id",), limit=MOST_ROWS + 1), "limit must be"),
        (lambda: states("event", "zone", alias="a", by=(), limit=1), "event has no field 'zone'"),
        (lambda: states("signal", "text", alias="a", by=("device",), limit=9999), "limit must be"),
        (lambda: tag_values("event", "subject"), "event has no tag 'subject'"),
    ],
)
def test_what_the_schema_does_not_have_is_refused(make: object, told: str) -> None:
    assert callable(make)
    with pytest.raises(QueryError, match=told):
        make()


def test_functions_are_those_of_all_stores() -> None:
    counted = {"count", "different", "first", "last"}
    assert counted == queries.OF_ANYTHING
    assert sorted(queries.OF_NUMBERS) == ["max", "mean", "median", "min", "percentile", "spread", "sum"]


def test_every_span_is_bound() -> None:
    assert all(re.search(r"\btime\b|timeFilter", span.value) for span in Span)
