"""Decodes LLRP messages with pyllrp, in a venv of its own: one message in hex a line, a line of JSON for each."""

from __future__ import annotations

import json
import sys
from typing import Any

import bitstring  # type: ignore[import-not-found]  # only in the peer's own venv
from pyllrp.pyllrp import UnpackMessage  # type: ignore[import-not-found]  # only in the peer's own venv


def tree(part: Any) -> dict[str, Any]:
    fields = {field.Name: getattr(part, field.Name) for field in part.FieldDefs if not field.Name.startswith("skip")}
    inner = [tree(each) for each in getattr(part, "Parameters", ())]
    return {"name": type(part).__name__.rsplit("_", 1)[0], "fields": fields, "parts": inner}


def plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else str(value)


for line in sys.stdin:
    message = UnpackMessage(bitstring.BitStream(bytes=bytes.fromhex(line)))
    print(json.dumps(tree(message), default=plain))  # noqa: T201 - how the test learns of it
