"""`tagwharf boards mapping` against real stores that need no mapping, or can have none."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.cli.command import site_file, tagwharf
from tests.support.servers import influxd, victoria_metrics

SINK = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "{url}"\n'


def test_influxdb_1_needs_none(tmp_path: Path) -> None:
    with influxd(tmp_path / "influx") as running:
        config = site_file(tmp_path, more=SINK.format(url=running.url))
        made = tagwharf("boards", "mapping", "--config", config)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("InfluxDB 1.")
    assert made.stdout.endswith("needs no mapping: its database is 'tagwharf'\n")


def test_victoria_metrics_serves_no_boards(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path / "victoria") as running:
        config = site_file(tmp_path, more=SINK.format(url=running.url))
        made = tagwharf("boards", "mapping", "--config", config)
    assert made.returncode == 1
    assert "VictoriaMetrics serves no InfluxQL" in made.stderr
