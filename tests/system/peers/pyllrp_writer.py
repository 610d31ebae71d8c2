"""Changes an EPC with pyllrp's TagWriter, in a venv of its own. Usage: pyllrp_writer.py PORT OLD NEW; prints JSON."""

from __future__ import annotations

import codecs
import json
import sys
from typing import Any

from pyllrp.LLRPConnector import LLRPConnector  # type: ignore[import-not-found]  # only in the peer's own venv
from pyllrp.pyllrp import (  # type: ignore[import-not-found]  # likewise
    AISpecStopTrigger_Parameter,
    AISpecStopTriggerType,
)
from pyllrp.TagWriter import TagWriter  # type: ignore[import-not-found]  # likewise


class Connector(LLRPConnector):  # type: ignore[misc]  # likewise
    """pyllrp's writer knows one port only."""

    def connect(self, host: str, _port: int = 0) -> Any:
        return super().connect(host, int(sys.argv[1]))


class Writer(TagWriter):  # type: ignore[misc]  # likewise
    """It stops by "N attempts to see all tags", which the simulated reader does not know; here the client stops it."""

    def GetROSpec(self, antennas: Any = None) -> Any:  # noqa: N802 - pyllrp's name
        message = super().GetROSpec(antennas)
        (rospec,) = message.Parameters
        aispec = rospec.Parameters[1]
        aispec.Parameters[0] = AISpecStopTrigger_Parameter(AISpecStopTriggerType=AISpecStopTriggerType.Null)
        return message


def main(old: str, new: str) -> None:
    sys.modules["pyllrp.TagInventory"].LLRPConnector = Connector  # type: ignore[attr-defined]  # likewise
    sys.modules["pyllrp.TagWriter"].codec = codecs  # type: ignore[attr-defined]  # 3.1.1 forgot to import it so
    writer = Writer("127.0.0.1")
    writer.Connect()
    before, _ = writer.GetTagInventory()
    writer.WriteTag(old, new)
    after, _ = writer.GetTagInventory()
    writer.Disconnect()
    print(json.dumps({"before": sorted(before), "after": sorted(after)}))  # noqa: T201 - how the test learns of it


main(*sys.argv[2:4])
