"""Site files of the benchmarks: readers of a farm, and what the rules are to make of their reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GATEWAY: Final = "edge-1"
SITE: Final = "bench"
ANTENNAS: Final = (1, 2, 3, 4)
LANES: Final = 8
PROBE: Final = "probe"
EVENT_JOURNAL: Final = '[[sink]]\nkind = "journal"\nname = "store"'


@dataclass(frozen=True, slots=True)
class Site:
    """What one gateway serves and one rules daemon judges.

    Attributes:
        reader_ports: TCP ports of the readers. The first eight are lanes, two antennas on each side; each other one
            covers a zone with its four antennas.
        every_n: reads in a report.
        probe_port: of a reader whose every read raises an alarm.
        acknowledge: who releases the journal, `rules` or `broker`.
        edge_port, rules_port: of /metrics.
    """

    broker_port: int
    reader_ports: Sequence[int] = ()
    every_n: int = 50
    probe_port: int | None = None
    acknowledge: str = "rules"
    sink: str = EVENT_JOURNAL
    edge_port: int = 0
    rules_port: int = 0

    def write(self, directory: Path) -> Path:
        """Write `site.toml`; the state is kept beside it."""
        tables = [
            f'[site]\nname = "{SITE}"\ngateway = "{GATEWAY}"\nstate_dir = "{directory / "state"}"',
            f'[mqtt]\nport = {self.broker_port}\nacknowledge = "{self.acknowledge}"',
            f"[health]\nedge_port = {self.edge_port}\nrules_port = {self.rules_port}",
        ]
        for number, port in enumerate(self.reader_ports, start=1):
            points = [f"point-{number}-{antenna}" for antenna in ANTENNAS]
            tables += [_reader(f"reader-{number}", port, self.every_n, dict(zip(ANTENNAS, points, strict=True)))]
            if number <= LANES < len(self.reader_ports):
                tables += [f'[[portal]]\nname = "lane-{number}"\nouter = {points[:2]}\ninner = {points[2:]}']
            else:
                tables += [f'[[zone]]\nname = "zone-{number}"\nread_points = {points}']
        if self.probe_port is not None:
            tables += [_reader(PROBE, self.probe_port, 1, {1: PROBE})]
            tables += [
                (
                    f'[[rule]]\nname = "{PROBE}"\nshape = "match"\non = "read"\nwhen = \'e.device == "{PROBE}"\'\n'
                    'alarm = { severity = "critical", message = "A blocked tag" }'
                )
            ]
        path = directory / "site.toml"
        path.write_text("\n\n".join([*tables, self.sink]) + "\n")
        return path


def _reader(name: str, port: int, every_n: int, points: dict[int, str]) -> str:
    named = ", ".join(f'{antenna} = "{point}"' for antenna, point in points.items())
    return (
        f'[[reader]]\nname = "{name}"\ndriver = "llrp"\nport = "tcp://127.0.0.1:{port}"\n'
        f"read_points = {{ {named} }}\n"
        f'settings = {{ profile = "gate", report_every_n = {every_n}, antennas = {list(points)} }}'
    )
