from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.config.models import JournalSink
from gateway.recording import RecordingError
from rules.commands.recordings import add_recording, event_directory, head, head_lines, opened
from rules.explaining.replay import Window
from tests.rules.recorded import START_US, recorded, site_file


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_recording(parser)
    return parser.parse_args(arguments)


def test_it_is_that_of_the_site_or_the_one_that_is_named(tmp_path: Path) -> None:
    known = recorded(tmp_path)
    site = load_site(known.config)
    for asked in (options(), options("--recording", str(known.state))):
        found = opened(asked, site)
        assert found.recording.sources == [known.state / "journal"]
        assert found.span == (START_US, START_US + 90_000_000)
        assert event_directory(asked, site) == known.state / "events"
    assert event_directory(options("--events", "/x"), site) == Path("/x")
    elsewhere = site.model_copy(update={"sink": [JournalSink(kind="journal", name="e", directory=Path("/y"))]})
    assert event_directory(options(), elsewhere) == Path("/y")
    assert event_directory(options("--recording", str(known.state / "journal")), site) == known.state / "events"


def test_an_empty_one_and_none(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    site = load_site(site_file(tmp_path, tmp_path / "state"))
    with pytest.raises(RecordingError, match="holds no journal"):
        opened(options(), site)
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(RecordingError, match="the recording is empty"):
        opened(options("--recording", str(tmp_path / "empty.jsonl")), site)


def test_the_head_says_what_an_empty_state_means(tmp_path: Path) -> None:
    known = recorded(tmp_path)
    found = opened(options(), load_site(known.config))
    late = head_lines(head(found, Window(START_US, START_US + 10_000_000, START_US + 20_000_000, 2**62), 7))
    assert late[2].startswith("replayed:  7 batches from 2026-")
    assert len(late) == 3
    early = head_lines(head(found, Window(START_US - 5, START_US, START_US + 20_000_000, 2**62), 7))
    assert "nothing was replayed before the window: tags that were there already arrive anew" in early[3]
    found.recording.damaged.append("row 7")
    assert head_lines(head(found, Window(0, 1, 2, 3), 7))[-1] == "not readable: row 7"
    assert head_lines(head(found, Window(0, 1, 2, 3), 7, ["day 8"]))[-1] == "not readable: day 8"
