import json
from pathlib import Path

import pytest

from gateway.demo.run import DemoSettings, run


def test_a_short_demonstration_finds_everything_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    status = run(DemoSettings(duration_s=26, report=report, keep=tmp_path / "demo", console_port=0))
    said = capsys.readouterr().out
    made = json.loads(report.read_text())
    assert status == 0, said
    assert made["ledger"]["balanced"]
    assert made["ledger"]["tag_reads"]["heard"] > 50
    assert made["ledger"]["readings"]["judged"] > 50
    assert made["ledger"]["points"]["queued"] == 0
    truth = made["truth"]
    assert (truth["detected"], truth["wrong_direction"], truth["ghosts"]) == (truth["passages"], 0, 0)
    assert truth["passages"] >= 2
    assert truth["visits_seen"] == truth["visits"] >= 4
    assert truth["cards_seen"] == truth["cards"] >= 1
    assert truth["weighings_seen"] == truth["weighings"] >= 1
    for kind in ("gate decisions", "completed routes", "cards granted", "lost phases"):  # one of each pack
        assert truth["concluded"][kind]["happened"] >= 1, kind
    assert all(account["seen"] == account["happened"] for account in truth["concluded"].values())
    drivers = {device["driver"] for device in made["devices"]}
    assert drivers == {
        "a0",
        "ascii_line",
        "dlt645",
        "llrp",
        "m100",
        "modbus_io",
        "modbus_machine",
        "modbus_meter",
        "pn532",
        "thingmagic",
        "uhfreader",
        "weighbridge",
    }
    assert "passages detected" in said
    orders = [(each["device"], each["action"], each["state"]) for each in made["control"]["orders"]]
    assert orders == [("feeder-7", "trip", "verified"), ("feeder-7", "close", "verified")]
    trail = made["control"]["audit"]["trail"]
    assert [each["state"] for each in trail if each["by"] == "operator"] == ["armed", "sending", "verified"] * 2
    by_rules = [(each["point"], each["state"]) for each in trail if each["by"] == "gate-rules"]
    assert [state for point, state in by_rules if point == "in-barrier"] == ["sending", "verified"]
    feeder = made["meters"]["feeder-7"]
    assert sorted(feeder["by_tariff_wh"]) == ["1", "2", "3", "4"]
    assert float(feeder["active_demand_w"]) > 0
    for meter in ("chiller", "compressor"):  # of another line and protocol
        assert float(made["meters"][meter]["active_power_w"]) > 0


def test_a_demonstration_without_its_broker_fails_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = DemoSettings(duration_s=6, broker="127.0.0.1:1", keep=tmp_path / "demo", console_port=0)
    assert run(settings) == 1
    assert "the broker is away at the end" in capsys.readouterr().out.replace("\n", " ")
