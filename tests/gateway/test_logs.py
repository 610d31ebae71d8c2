import contextlib
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.logs import TEXT_MOST, clean, configure, get_log


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    configure("test", level="info", stream=stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers = before
    root.setLevel(level)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_json_with_what_is_bound(out: io.StringIO) -> None:
    get_log(reader="gate").info("reader_connected", tries=3)
    line = json.loads(out.getvalue())
    assert (line["event"], line["reader"], line["tries"], line["level"]) == ("reader_connected", "gate", 3, "info")
    assert line["process"] == "test"


def test_a_device_cannot_forge_a_line(out: io.StringIO) -> None:
    get_log().warning("said", text='a\n{"event":"forged"}\x1b[2J\u202eb')
    assert len(out.getvalue().splitlines()) == 1
    said = json.loads(out.getvalue())["text"]
    assert said == 'a\N{REPLACEMENT CHARACTER}{"event":"forged"}\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b'


def test_long_text_is_cut_and_says_so(out: io.StringIO) -> None:
    get_log().info("said", text="x" * 10_000)
    assert json.loads(out.getvalue())["text"] == "x" * TEXT_MOST + " ... (10000 characters)"


def test_an_error_is_text_with_its_class(out: io.StringIO) -> None:
    get_log().info("failed", error=ValueError("bad\x00"))
    assert json.loads(out.getvalue())["error"] == "ValueError: bad\N{REPLACEMENT CHARACTER}"


def test_a_traceback_keeps_its_lines_and_loses_its_control_characters(out: io.StringIO) -> None:
    error = ValueError("tag \x1b[31m says")
    with contextlib.suppress(ValueError):
        raise error
    get_log().error("driver_failed", exc_info=error)
    text = json.loads(out.getvalue())["exception"]
    assert "Traceback" in text
    assert "\n" in text
    assert "\x1b" not in text


def test_libraries_log_the_same_way(out: io.StringIO) -> None:
    logging.getLogger("mqtt").warning("there are %d", 5)
    line = json.loads(out.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("there are 5", "mqtt", "warning")


def test_quiet_levels_are_left_out(out: io.StringIO) -> None:
    get_log().debug("detail")
    logging.getLogger("asyncio").info("detail")
    assert out.getvalue() == ""


def test_a_traceback_does_not_steer_a_terminal() -> None:
    stream = _Terminal()
    configure("test", stream=stream)
    error = ValueError("tag \x1b[2J says")
    with contextlib.suppress(ValueError):
        raise error
    get_log().error("driver_failed", exc_info=error)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    assert "Traceback" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_a_terminal_gets_no_json() -> None:
    stream = _Terminal()
    configure("test", stream=stream)
    try:
        get_log().info("reader_connected")
        assert "reader_connected" in stream.getvalue()
        assert not stream.getvalue().startswith("{")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = []


def test_clean_leaves_good_text_alone() -> None:
    assert clean("Zebra FX9600 南门") == "Zebra FX9600 南门"
