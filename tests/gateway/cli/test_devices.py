import asyncio
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from readers.registry import drivers
from readers.tagdata.cards import CardIdentity
from simulator.cards.ascii_line import serve as serve_cards
from simulator.device import Sighting
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.gateway.cli.command import site_file, tagwharf
from tests.support.broker import free_port


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [Sighting(start_us, antenna_port, b"\x30\x75", -55.0)] if until_us > start_us else []


def test_probe_and_record_of_a_reader_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    table = '[[reader]]\nname = "{}"\ndriver = "m100"\nport = "tcp://127.0.0.1:{}"\n'
    file = tmp_path / "conversation.toml"

    async def go() -> list[subprocess.CompletedProcess[str]]:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            readers = table.format("gate", server.port) + table.format("gone", free_port())
            config = ("--config", str(site_file(tmp_path, more=readers)))
            return [
                await asyncio.to_thread(tagwharf, "probe", "gate", "--for", "1.5s", *config),
                await asyncio.to_thread(tagwharf, "probe", "--for", "1.5s", *config),
                await asyncio.to_thread(tagwharf, "record", "gate", "--for", "1.5s", "--to", file, *config),
                await asyncio.to_thread(tagwharf, "record", "gone", "--to", tmp_path / "none", *config),
            ]

    one, both, recorded, gone = asyncio.run(go())
    assert one.returncode == 0, one.stderr
    assert "    3075 antenna 1: " in one.stdout
    assert both.returncode == 1
    assert "gone (m100, tcp://127.0.0.1:" in both.stdout
    assert recorded.returncode == 0, recorded.stderr
    assert 'driver = "m100"' in file.read_text()
    assert gone.returncode == 1
    assert "check address, cable and power" in gone.stderr


class OneCard:
    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        return [CardIdentity.from_text("em4100:0100D507D0")] if antenna_port and now_us else []


def test_a_card_reader_is_recorded_only_when_that_is_said(tmp_path: Path) -> None:
    table = (
        '[[reader]]\nname = "door"\ndriver = "ascii_line"\nport = "tcp://127.0.0.1:{}"\n'
        'settings = {{ format = "rdm6300" }}\n'
    )
    file = tmp_path / "conversation.toml"

    async def go() -> list[subprocess.CompletedProcess[str]]:
        async with DeviceServer(lambda port: serve_cards(port, OneCard())) as server:
            config = ("--config", str(site_file(tmp_path, more=table.format(server.port))))
            record = ("record", "door", "--for", "1s", "--to", str(file), *config)
            refused = await asyncio.to_thread(tagwharf, *record)
            assert not file.exists()
            return [refused, await asyncio.to_thread(tagwharf, *record, "--with-card-numbers")]

    refused, recorded = asyncio.run(go())
    assert refused.returncode == 2
    assert "door reads cards" in refused.stderr
    assert "say --with-card-numbers" in " ".join(refused.stderr.split())
    assert recorded.returncode == 0, recorded.stderr
    assert "em4100:0100D507D0" in file.read_text()
    assert "card em4100 whole, 5 bytes, hidden" in recorded.stdout
    assert "0100D507D0" not in recorded.stdout


def test_readers_lists_each_driver() -> None:
    done = tagwharf("readers")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == sorted(drivers())
    assert re.search(r"^m100 +rfid +serial 115200 baud +\w", done.stdout, re.MULTILINE)


def test_readers_tells_the_settings_of_one_driver() -> None:
    done = tagwharf("readers", "m100")
    assert done.returncode == 0
    assert re.search(r"^  tx_power_dbm +20.0 +set and read back", done.stdout, re.MULTILINE)
    unknown = tagwharf("readers", "m1000")
    assert unknown.returncode == 2
    assert "did you mean 'm100'" in unknown.stderr


def test_readers_as_json_holds_the_schema_of_the_settings() -> None:
    found = json.loads(tagwharf("readers", "--json").stdout)
    assert [entry["driver"] for entry in found] == sorted(drivers())
    schema = next(entry for entry in found if entry["driver"] == "m100")["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"tx_power_dbm": 20}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tx_power_dbm": "strong"}, schema)


def test_a_walk_is_shown_and_kept(tmp_path: Path) -> None:
    report, page = tmp_path / "walk.json", tmp_path / "walk.md"
    table = (
        '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "tcp://127.0.0.1:{}"\nread_points = {{ 1 = "gate-in" }}\n'
    )

    async def go() -> list[subprocess.CompletedProcess[str]]:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            config = ("--config", str(site_file(tmp_path, more=table.format(server.port))))
            return [
                await asyncio.to_thread(
                    tagwharf, "walktest", "gate", "--for", "1.5s", "--epc", "3075", "--report", report, *config
                ),
                await asyncio.to_thread(tagwharf, "walktest", "gate", "--for", "1s", "--report", page, *config),
                await asyncio.to_thread(tagwharf, "walktest", "gate", "--for", "1s", "--report", page, *config),
            ]

    walked, printed, refused = asyncio.run(go())
    assert walked.returncode == 0, walked.stderr
    assert re.search(r"^1 +gate-in +\d+ +\d+ +1 +-55 ", walked.stdout, re.MULTILINE)
    kept = json.loads(report.read_text())
    (antenna,) = kept["antennas"]
    assert antenna["reads"] > 0
    assert sum(antenna["reads_by_second"]) == antenna["reads"]
    assert (antenna["read_point"], antenna["rssi_dbm_median"], antenna["tags"]) == ("gate-in", -55, 1)
    assert printed.returncode == 0, printed.stderr
    assert "| 1 | gate-in |" in page.read_text()
    assert refused.returncode == 2
    assert "exists; name a new file" in refused.stderr


def test_a_walk_before_a_reader_that_is_away_tells_so_and_keeps_that(tmp_path: Path) -> None:
    table = f'[[reader]]\nname = "gone"\ndriver = "m100"\nport = "tcp://127.0.0.1:{free_port()}"\n'
    config = site_file(tmp_path, more=table)
    done = tagwharf("walktest", "gone", "--for", "1s", "--report", tmp_path / "w.json", "--config", config)
    assert done.returncode == 1
    assert "ended early: " in done.stdout
    assert json.loads((tmp_path / "w.json").read_text())["trouble"]
    odd = tagwharf("walktest", "gone", "--report", tmp_path / "w.pdf", "--config", config)
    assert odd.returncode == 2
