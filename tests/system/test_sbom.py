"""The bill of materials against the published schema of CycloneDX, by the validator of its own project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers")) / "cyclonedx/bin/python"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or ""))
"""
pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and "CI" not in os.environ, reason="run tests/system/peers/cyclonedx/install.sh"
)


def faults(text: str) -> str:
    done = subprocess.run(
        [PYTHON, "-c", VALIDATE], input=text, check=False, capture_output=True, text=True, timeout=120
    )
    return done.stderr.strip()


def test_the_bill_is_valid() -> None:
    command = [sys.executable, str(ROOT / "packaging" / "sbom.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert faults(made) == ""
    wrong = json.loads(made)
    wrong["components"][0]["licenses"] = [{"license": {"id": "no licence of SPDX"}}]
    assert "no licence of SPDX" in faults(json.dumps(wrong)), "the validator can say no"
