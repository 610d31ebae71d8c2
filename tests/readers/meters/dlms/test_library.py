from __future__ import annotations

import sys

import pytest

from readers.errors import ConfigError
from readers.meters.dlms.association import Association, Identity
from readers.meters.dlms.library import library


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "dlms_cosem.protocol.acse", None)
    try:
        with pytest.raises(ConfigError, match=r"pip install tagwharf\[dlms\]"):
            library()
    finally:
        library.cache_clear()


def test_the_library_logs_no_apdu_and_so_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    Association(Identity(password=b"hunter-two")).request()
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_its_failures_are_exceptions() -> None:
    assert all(issubclass(each, Exception) for each in library().failures())
