"""What the demonstration shows in the terminal while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.console.live import Live
from gateway.demo.meters import meters

EVENTS_SHOWN: Final = 8
ORDERS_SHOWN: Final = 6
_TARIFFS: Final = {"1": "尖", "2": "峰", "3": "平", "4": "谷"}
_TONES: Final = {"online": "green", "degraded": "yellow", "offline": "red"}
_US_PER_S: Final = 1_000_000


def render(live: Live, address: str, note: str, orders: Sequence[Mapping[str, Any]]) -> Group:
    """One picture of the site."""
    state = live.whole()
    head = Text.assemble(("Tagwharf", "bold"), f"  site {live.site}   console ", (address, "bold cyan"), f"   {note}")
    happened = Panel(_events(state), title="what happened")
    return Group(head, happened, _power(state, orders), _side_by_side(state))


def _power(state: dict[str, Any], orders: Sequence[Mapping[str, Any]]) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_row(Panel(_meters(state), title="meters"), Panel(_orders(orders), title="orders"))
    return grid


def _meters(state: dict[str, Any]) -> Table:
    names = [f"{sign} kWh" for sign in _TARIFFS.values()]
    table = Table("", "kW", "demand kW", "max kW", *names, box=None, padding=(0, 1))
    for name, meter in meters(state["readings"]).items():
        by_tariff = meter.get("by_tariff_wh", {})
        powers = [_kilo(meter.get(key)) for key in ("active_power_w", "active_demand_w", "active_demand_max_w")]
        table.add_row(name, *powers, *(_kilo(by_tariff.get(tariff)) for tariff in _TARIFFS))
    return table


def _orders(orders: Sequence[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for order in orders[-ORDERS_SHOWN:]:
        tone = "green" if order["state"] == "verified" else "yellow"
        record = order.get("audit_sequence")
        table.add_row(
            order["device"],
            order["action"],
            Text(order["state"], style=tone),
            "" if record is None else f"audit record {record}",
        )
    return table


def _kilo(text: str | None) -> str:
    return "" if text is None else f"{Decimal(text) / 1000:,.2f}"


def _side_by_side(state: dict[str, Any]) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_row(Panel(_devices(state), title="devices"), Panel(_ledger(state), title="loss ledger"))
    return grid


def _events(state: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for event in state["events"][-EVENTS_SHOWN:]:
        table.add_row(
            datetime.fromtimestamp(event["at_us"] / _US_PER_S).astimezone().strftime("%H:%M:%S"),
            Text(event["type"], style="bold"),
            Text(event.get("name") or event["subject"]),  # as text: what a tag says is no markup
            Text(event.get("zone") or ""),
            event.get("direction") or "",
            f"{event['evidence'].get('reads', 0)} reads",
        )
    for alarm in state["alarms"].values():
        table.add_row(
            "", Text("alarm", style="bold red"), Text(alarm["message"] or alarm["rule"]), Text(alarm["subject"]), "", ""
        )
    return table


def _devices(state: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, device in sorted(state["devices"].items()):
        tone = _TONES.get(device["state"], "")
        table.add_row(name, Text(device["state"], style=tone), f"{device.get('heard', 0):,}")
    return table


def _ledger(state: dict[str, Any]) -> Table:
    table = Table("", "heard", "judged", "dropped", "queued", box=None, padding=(0, 1))
    for name, book in sorted(state["ledgers"].items()):
        if name == "rules":
            for sink, points in book["points"].items():
                table.add_row(
                    f"points in {sink}",
                    f"{points['made']:,}",
                    f"{points['stored']:,}",
                    f"{points['refused']:,}",
                    f"{points['queued']:,}",
                )
            latency = book["latency_ms"]
            table.add_row("read to store", f"p50 {latency.get('p50', 0):.0f} ms", f"p99 {latency.get('p99', 0):.0f} ms")
            continue
        for kind, title in (("tag_reads", "tag reads"), ("readings", "readings")):
            account = book[kind]
            table.add_row(
                f"{name} {title}",
                f"{account['heard']:,}",
                f"{account['judged']:,}",
                f"{sum(account['dropped'].values()):,}",
                f"{account['waiting'] + account['unjudged']:,}",
            )
    return table
