"""Tag codes against the npm package epc-tds, which reads and writes some of the older schemes.

Where it is known to differ from the standard, it is not asked: it loses the empty reference behind a company prefix of
12 digits and the leading zeros of a GSRN, does not escape characters in URIs, cuts a serial number at a dot when it
writes, writes a SGCN's serial number with leading zeros without the 1 before it, and fills up to a byte, not to a
word.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers.tagdata.encode import encode_tag
from readers.tagdata.tag import decode_tag
from tests.support.tag_identities import PLAIN, tag_uris

PEER: Final = Path(__file__).parent / "peers" / "epc-tds"
FOLDER: Final = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers")) / "epc-tds"
ABSENT: Final = not (FOLDER / "node_modules").is_dir() and "CI" not in os.environ
SCHEMES: Final = (
    "sgtin-96",
    "sgtin-198",
    "sscc-96",
    "sgln-96",
    "sgln-195",
    "grai-96",
    "grai-170",
    "giai-96",
    "giai-202",
    "gsrn-96",
    "gdti-96",
    "gdti-174",
    "sgcn-96",
    "cpi-96",
    "gid-96",
)
ALPHABET: Final = PLAIN.replace(".", "")
TAGS_AT_ONCE: Final = 40

pytestmark = pytest.mark.skipif(ABSENT, reason=f"epc-tds is not installed; run {PEER.name}/install.sh")


def ask(read: list[str], write: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """What the peer makes of hexadecimal codes and of tag URIs."""
    command = ["node", str(PEER / "ask.cjs"), str(FOLDER)]
    asked = json.dumps({"read": read, "write": write})
    done = subprocess.run(command, input=asked, capture_output=True, check=True, text=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer["read"], answer["write"]


def is_asked(uri: str) -> bool:
    fields = uri.rpartition(":")[2].split(".")
    leading_zero = fields[-1].startswith("0")
    return ".." not in uri and not (leading_zero and ("gsrn" in uri or "sgcn" in uri))


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_peer_reads_and_writes_the_same(scheme: str, data: st.DataObject) -> None:
    some = st.lists(tag_uris(scheme, ALPHABET).filter(is_asked), min_size=TAGS_AT_ONCE, max_size=TAGS_AT_ONCE)
    uris = data.draw(some)
    ours = [encode_tag(uri) for uri in uris]
    read, written = ask([tag.epc.hex().upper() for tag in ours], uris)
    assert read == [{"id": decode_tag(tag.epc).uri, "tag": uri} for tag, uri in zip(ours, uris, strict=True)]
    assert [each.ljust(len(tag.epc) * 2, "0") for each, tag in zip(written, ours, strict=True)] == [
        tag.epc.hex().upper() for tag in ours
    ]


def test_the_peer_does_not_know_the_schemes_of_tds_2() -> None:
    """So these rest on the examples of the standard; when a later version knows them, this test says so."""
    read, _ = ask(["F73795211411234538566CB0AFC4"], [])
    assert "error" in read[0]
