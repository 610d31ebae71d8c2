"""Alert rules of Grafana: what must wake somebody even when nobody looks at a board.

A rule is one query in InfluxQL, reduced to one number a series and compared with a limit. They stand beside the alarms
of the rules daemon and see what it cannot say of itself: that it is silent, or that what it says does not add up. Who
is told is for the operator's own contact points; the labels `severity` and `source` are there to route by.

Source: Grafana, "Use configuration files to provision alerting resources", "Annotation and label template reference".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.boards.installing.yaml_text import Data

STORE_UID: Final = "tagwharf"
"""The data source that rules and boards ask."""
GROUP: Final = "tagwharf"
EVERY_S: Final = 60
SOURCE_LABEL: Final = "tagwharf"
_MINUTE_S: Final = 60
_DAY_S: Final = 86_400
_WHOLE_MEMORY_S: Final = 30 * _DAY_S  # states are written when they change only: the last change may be old
_EXPRESSION: Final = "__expr__"
# Its address, which may or may not end with a slash. No `$` is in it, which some versions would take for a variable.
_GRAFANA: Final = '{{ reReplaceAll `/*\\z` "" externalURL }}'


class Reducer(StrEnum):
    """What becomes of the points of a series."""

    LAST = "last"
    GROWTH = "growth"  # the last less the smallest: what piled up
    STANDING = "standing"  # of a pair of counts: see `STANDING_OTHER`


@dataclass(frozen=True, slots=True)
class Text:
    """What people read, in one language."""

    title: str
    summary: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule.

    Attributes:
        name: the end of its uid, which stays.
        board: of which board it is, by the name of its file; page: of the console.
        query: what is asked; second: what is asked besides, by `Reducer.STANDING`.
        within_s: the time that the query is about; for_s: how long it must be so.
        above: the limit.
        silent: it is the absence of all data that is wrong.
    """

    name: str
    severity: str
    board: str
    page: str
    query: str
    within_s: int
    for_s: int
    en: Text
    zh: Text
    above: float = 0
    reducer: Reducer = Reducer.LAST
    second: str = ""
    silent: bool = False

    @property
    def uid(self) -> str:
        """Unique in a Grafana."""
        return f"tagwharf-{self.name}"

    @property
    def queries(self) -> dict[str, str]:
        """All that is asked, by reference."""
        return {"A": self.query} | ({"E": self.second} if self.second else {})


# An alarm keeps its id when it is raised again, so it is told apart by when it began. Each is raised once and cleared
# once; its changes between (acknowledged, escalated) have the same beginning. With r raised and c cleared, those that
# stand are 2 r - (r + c): a sum that is known as soon as one was raised, where r - c needs one that was cleared.
_RAISED: Final = (
    'SELECT count(distinct("since_us")) FROM "alarm" WHERE "severity" = \'critical\' AND "state" = \'raised\' '
    'AND $timeFilter GROUP BY "site", "rule"'
)
_RAISED_AND_CLEARED: Final = (
    'SELECT sum("alarms") FROM (SELECT count(distinct("since_us")) AS "alarms" FROM "alarm" '
    'WHERE "severity" = \'critical\' AND $timeFilter GROUP BY "site", "rule", "state") '
    'WHERE $timeFilter GROUP BY "site", "rule"'
)

RULES: Final[tuple[AlertRule, ...]] = (
    AlertRule(
        name="silent",
        severity="critical",
        board="platform",
        page="ledger",
        query='SELECT count("heard") FROM "ledger" WHERE $timeFilter',
        within_s=5 * _MINUTE_S,
        for_s=2 * _MINUTE_S,
        silent=True,
        en=Text(
            "Nothing heard at all",
            "No gateway has said anything for five minutes: boards show the past.",
            "Look whether the rules daemon runs (systemctl status tagwharf-rules), whether it reaches the broker and "
            "the store (tagwharf ledger), and whether Grafana reaches the store.",
        ),
        zh=Text(
            "完全没有数据",
            "五分钟内没有任何网关上报：看板显示的是过去的情况。",
            "检查规则服务是否运行（systemctl status tagwharf-rules），它能否连接消息代理和数据库（tagwharf ledger），"
            "以及 Grafana 能否连接数据库。",
        ),
    ),
    AlertRule(
        name="ledger-differs",
        severity="critical",
        board="platform",
        page="ledger",
        query='SELECT count("heard") FROM "ledger" WHERE "balanced" = false AND $timeFilter '
        'GROUP BY "site", "gateway", "kind"',
        within_s=2 * _MINUTE_S,
        for_s=_MINUTE_S,
        en=Text(
            "The loss ledger differs",
            "Gateway {{ $labels.gateway }} of {{ $labels.site }}: what was heard of {{ $labels.kind }} is not what was "
            "judged, dropped and queued.",
            "Keep the edge journal as it is, run tagwharf ledger on the gateway, report what it says: it is a defect.",
        ),
        zh=Text(
            "损失台账不平",
            "{{ $labels.site }} 的网关 {{ $labels.gateway }}：{{ $labels.kind }} 的接收数"
            "不等于已判定、已丢弃与排队之和。",
            "不要改动边缘日志，在网关上运行 tagwharf ledger 并上报其输出：这是程序缺陷。",
        ),
    ),
    AlertRule(
        name="backlog-grows",
        severity="warning",
        board="platform",
        page="ledger",
        query='SELECT mean("waiting") FROM "ledger" WHERE $timeFilter '
        'GROUP BY time(1m), "site", "gateway", "kind" fill(none)',
        within_s=15 * _MINUTE_S,
        for_s=5 * _MINUTE_S,
        above=10_000,
        reducer=Reducer.GROWTH,
        en=Text(
            "The backlog of a gateway grows",
            "Gateway {{ $labels.gateway }} of {{ $labels.site }}: more {{ $labels.kind }} come than go; 10,000 and "
            "more piled up within 15 minutes.",
            "Look for a slow network to the broker, a broker or rules daemon that is down, or one that is busy (board "
            "platform, time of rules). Nothing is lost while the edge journal has room.",
        ),
        zh=Text(
            "网关积压增长",
            "{{ $labels.site }} 的网关 {{ $labels.gateway }}：{{ $labels.kind }} 进多出少，"
            "15 分钟内积压超过 10000 条。",
            "检查到消息代理的网络、消息代理与规则服务是否停止或过载（平台看板的规则耗时）。"
            "边缘日志未满之前不会丢失数据。",
        ),
    ),
    AlertRule(
        name="outbox-grows",
        severity="warning",
        board="platform",
        page="ledger",
        query='SELECT mean("queued") FROM "sink" WHERE $timeFilter GROUP BY time(1m), "site", "sink" fill(none)',
        within_s=15 * _MINUTE_S,
        for_s=5 * _MINUTE_S,
        above=10_000,
        reducer=Reducer.GROWTH,
        en=Text(
            "An outbox grows",
            "Sink {{ $labels.sink }} of {{ $labels.site }}: 10,000 and more points piled up within 15 minutes.",
            "The receiver is slow or limits requests: look at its load and at what the rules daemon logs of this sink.",
        ),
        zh=Text(
            "发件箱积压增长",
            "{{ $labels.site }} 的输出 {{ $labels.sink }}：15 分钟内积压超过 10000 个数据点。",
            "接收方过慢或限流：检查其负载，以及规则服务关于此输出的日志。",
        ),
    ),
    AlertRule(
        name="sink-down",
        severity="critical",
        board="platform",
        page="ledger",
        query='SELECT count("made") FROM "sink" WHERE "is_down" = true AND $timeFilter GROUP BY "site", "sink"',
        within_s=_MINUTE_S,
        for_s=2 * _MINUTE_S,
        en=Text(
            "A sink is down",
            "Sink {{ $labels.sink }} of {{ $labels.site }} takes nothing.",
            "Look at the receiver, at the network between, and at its token. Everything waits on the disk of the rules "
            "daemon. When this store itself is down, the rule about silence speaks instead.",
        ),
        zh=Text(
            "输出中断",
            "{{ $labels.site }} 的输出 {{ $labels.sink }} 不接收任何数据。",
            "检查接收方、网络和令牌。数据在规则服务的磁盘上等待。如果中断的正是本数据库，则由“完全没有数据”报警。",
        ),
    ),
    AlertRule(
        name="device-offline",
        severity="warning",
        board="readers",
        page="devices",
        query='SELECT count("state") FROM (SELECT last("state") AS "state" FROM "device_status" WHERE $timeFilter '
        'GROUP BY "site", "device") WHERE "state" = \'offline\' AND $timeFilter GROUP BY "site", "device"',
        within_s=_WHOLE_MEMORY_S,
        for_s=5 * _MINUTE_S,
        en=Text(
            "A device is offline",
            "Device {{ $labels.device }} of {{ $labels.site }} has been offline for more than five minutes.",
            "Look at its power, cable and address; the console says the reason and since when. What passes there "
            "meanwhile is not seen: absence means nothing.",
        ),
        zh=Text(
            "设备离线",
            "{{ $labels.site }} 的设备 {{ $labels.device }} 已离线超过五分钟。",
            "检查电源、线缆和地址；控制台显示原因和开始时间。其间经过此处的物品不会被看到：没有读数不代表没有物品。",
        ),
    ),
    AlertRule(
        name="alarm-critical",
        severity="critical",
        board="overview",
        page="alarms",
        query=_RAISED,
        second=_RAISED_AND_CLEARED,
        within_s=_WHOLE_MEMORY_S,
        for_s=_MINUTE_S,
        reducer=Reducer.STANDING,
        en=Text(
            "A critical alarm stands",
            "Rule {{ $labels.rule }} of {{ $labels.site }} has a critical alarm that is not cleared.",
            "Open the alarms of the console: what happened, since when, and on what evidence; acknowledge it and act.",
        ),
        zh=Text(
            "存在严重报警",
            "{{ $labels.site }} 的规则 {{ $labels.rule }} 有一条尚未解除的严重报警。",
            "在控制台打开报警页：查看经过、起始时间和证据；确认后处理。",
        ),
    ),
    AlertRule(
        name="demand-above-limit",
        severity="warning",
        board="power",
        page="meters",
        query='SELECT last("value") FROM "reading" WHERE "quantity" = \'active_power_excess\' AND $timeFilter '
        'GROUP BY "site", "meter"',
        within_s=5 * _MINUTE_S,
        for_s=_MINUTE_S,
        en=Text(
            "Demand will be above the limit",
            "Meter {{ $labels.meter }} of {{ $labels.site }} will end this demand interval above its contract.",
            "Switch off what the power board proposes before the interval ends.",
        ),
        zh=Text(
            "需量将超限",
            "{{ $labels.site }} 的电表 {{ $labels.meter }} 本需量周期结束时将超过合同需量。",
            "在周期结束前按电力看板的建议切除负荷。",
        ),
    ),
)


def stages(rule: AlertRule) -> list[dict[str, Data]]:
    """The `data` of a rule: queries, reductions, and the comparison, which is `C`."""
    data: list[dict[str, Data]] = [_query(ref, text, rule.within_s) for ref, text in rule.queries.items()]
    if rule.reducer is Reducer.LAST:
        data += [_reduce("B", "A", "last")]
    elif rule.reducer is Reducer.GROWTH:
        data += [_reduce("D", "A", "last"), _reduce("E", "A", "min"), _math("B", "$D - $E")]
    else:
        data += [_reduce("D", "A", "last"), _reduce("F", "E", "last"), _math("B", "2 * $D - $F")]
    comparison = {"type": "lt" if rule.silent else "gt", "params": [1 if rule.silent else rule.above]}
    return [*data, _expression("C", "threshold", "B", conditions=[{"evaluator": comparison}])]


def notes(rule: AlertRule, languages: tuple[str, ...], board_uid: str, console: str) -> dict[str, str]:
    """What goes with a notification: the first language under the usual names, others with the language behind."""
    said: dict[str, str] = {}
    for language in languages:
        text = rule.zh if language == "zh" else rule.en
        end = "" if language == languages[0] else f"_{language}"
        said |= {f"summary{end}": text.summary, f"description{end}": text.what_to_do}
    return said | {"board": f"{_GRAFANA}/d/{board_uid}", "console": f"{console.rstrip('/')}/{rule.page}"}


def as_rule(rule: AlertRule, languages: tuple[str, ...], board_uid: str, console: str) -> dict[str, Data]:
    """What files and the HTTP API have in common."""
    return {
        "uid": rule.uid,
        "title": (rule.zh if languages[0] == "zh" else rule.en).title,
        "condition": "C",
        "data": stages(rule),
        "noDataState": "Alerting" if rule.silent else "OK",
        "execErrState": "Alerting" if rule.silent else "Error",
        "for": f"{rule.for_s // _MINUTE_S}m",
        "annotations": notes(rule, languages, board_uid, console),
        "labels": {"severity": rule.severity, "source": SOURCE_LABEL},
        "isPaused": False,
    }


def _query(ref: str, text: str, within_s: int) -> dict[str, Data]:
    return {
        "refId": ref,
        "relativeTimeRange": {"from": within_s, "to": 0},
        "datasourceUid": STORE_UID,
        "model": {
            "refId": ref,
            "datasource": {"type": "influxdb", "uid": STORE_UID},
            "rawQuery": True,
            "query": text,
            "resultFormat": "time_series",
            "intervalMs": 10_000,
            "maxDataPoints": 1_000,
        },
    }


def _expression(ref: str, kind: str, expression: str, **more: Data) -> dict[str, Data]:
    model: dict[str, Data] = {"refId": ref, "datasource": {"type": _EXPRESSION, "uid": _EXPRESSION}, "type": kind}
    return {
        "refId": ref,
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": _EXPRESSION,
        "model": {**model, "expression": expression, **more},
    }


def _reduce(ref: str, of: str, reducer: str) -> dict[str, Data]:
    return _expression(ref, "reduce", of, reducer=reducer, settings={"mode": "dropNN"})


def _math(ref: str, expression: str) -> dict[str, Data]:
    return _expression(ref, "math", expression)
