import asyncio
from pathlib import Path

import msgspec

from gateway.contract.events import Event, Evidence
from gateway.contract.ledger import Account, EdgeLedger
from gateway.contract.topics import Topics
from gateway.event_journal import EventJournal
from gateway.mqtt import session
from tests.gateway.cli.command import site_file, tagwharf
from tests.gateway.config.test_faults import BROKEN
from tests.support.broker import Broker


def test_check_of_a_good_file_sums_it_up(tmp_path: Path) -> None:
    reader = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\n'
    path = site_file(tmp_path, more=reader)
    done = tagwharf("check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{path}: ok: site hamburg, gateway edge-1; readers: 1 m100; zones 0, portals 0, rules 0; sinks: events\n"
    )


def test_check_of_a_broken_file_prints_all_faults_and_ends_with_78() -> None:
    done = tagwharf("check", BROKEN / "names.toml")
    assert done.returncode == 78
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith(f"{BROKEN}/names.toml:7: reader[edge-1].name")
    assert done.stderr == "8 faults; nothing was started\n"


def test_check_tells_warnings_and_still_is_well(tmp_path: Path) -> None:
    done = tagwharf("check", site_file(tmp_path))
    assert done.returncode == 0
    assert f"{tmp_path}/site.toml: warning: no [[reader]]" in done.stdout


def test_ledger_from_the_broker_and_without_it(tmp_path: Path) -> None:
    good = EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=0,
        next_sequence=2,
        watermark=1,
        tag_reads=Account(heard=5, judged=5),
        readings=Account(),
        signals=Account(),
    )
    lost = msgspec.structs.replace(good, tag_reads=Account(heard=5, judged=4))

    async def publish(broker: Broker, ledger: EdgeLedger) -> None:
        async with session(broker.settings, client_id="test") as link:
            await link.publish(Topics("hamburg").ledger("edge-1"), msgspec.json.encode(ledger), retain=True)

    with Broker(tmp_path / "broker") as broker:
        config = ("--config", site_file(tmp_path, broker.port))
        asyncio.run(publish(broker, good))
        balanced = tagwharf("ledger", *config)
        asyncio.run(publish(broker, lost))
        unbalanced = tagwharf("ledger", *config)
    away = tagwharf("ledger", *config)
    assert balanced.returncode == 0, balanced.stderr
    assert balanced.stdout.endswith("\nbalanced\n")
    assert unbalanced.returncode == 1
    assert "DIFFERENCE +1" in unbalanced.stdout
    assert away.returncode == 69
    assert "the broker does not answer" in away.stderr


def test_where_looks_into_the_event_journal(tmp_path: Path) -> None:
    directory = tmp_path / "state/events"
    evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2, reads=9)
    event = Event(id="0" * 20, type="arrived", at_us=1_000_000, subject="3005", zone="yard", evidence=evidence)
    write_event(directory, event)
    config = ("--config", site_file(tmp_path))
    found = tagwharf("where", "3005", *config)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "arrived" in found.stdout
    assert "yard" in found.stdout
    absent = tagwharf("where", "3006", *config)
    assert absent.returncode == 1
    assert "3006: no event in" in absent.stdout


def test_generate_check_says_what_is_not_current() -> None:
    done = tagwharf("generate", "--check")
    stale = [line for line in done.stdout.splitlines() if line.startswith("not current: ")]
    assert done.returncode == (1 if stale else 0), done.stderr


def write_event(directory: Path, event: Event) -> None:
    evidence = event.evidence
    journal = EventJournal(directory, keep_days=1, now_us=lambda: event.at_us)
    columns = (event.at_us, event.id, event.type, event.subject, event.name, event.zone, None, None, None, None, None)
    batches = (evidence.gateway, evidence.epoch, evidence.sequence_from, evidence.sequence_to)
    assert journal.append([{"events": [(*columns, *batches, msgspec.json.encode(event))]}]) == []
    journal.close()
