from __future__ import annotations

import logging
import sys

import pytest

from readers.errors import ConfigError
from readers.meters.dlms.association import Association, Identity
from readers.meters.dlms.library import library
from tests.readers.meters.dlms.scenes import AARE


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "dlms_cosem.protocol.acse", None)
    try:
        with pytest.raises(ConfigError, match=r"pip install tagwharf\[dlms\]"):
            library()
    finally:
        library.cache_clear()


def test_the_library_logs_no_apdu_and_so_no_password(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "dlms_cosem")
    made = Association(Identity(password=b"hunter-two"))
    made.request()
    made.take_response(bytes.fromhex(AARE))
    assert made.is_open
    said = capsys.readouterr()
    assert said.out == said.err == caplog.text == ""


def test_its_failures_are_exceptions() -> None:
    assert all(issubclass(each, Exception) for each in library().failures())
