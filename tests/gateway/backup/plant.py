"""A site on the disk as the daemons keep it: made by their own code, without them running."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.config.load import load_site
from gateway.config.models import SiteFile
from gateway.contract.batches import ReadBatch, decode
from gateway.edge import segment
from gateway.event_journal import EventJournal
from rules.daemon.database import Commit, Database
from rules.daemon.intake import FlowRow
from tests.gateway.edge.support import opened, reads, settled

NOW_US = 1_900_000_000_000_000
SITE = """
[site]
name = "hamburg"
gateway = "edge-1"
state_dir = "{state}"
[rules]
file = "rules.toml"
[mqtt]
user = "edge"
[mqtt.tls]
ca_file = "ca.pem"
key_file = "mqtt.key"
certificate_file = "own.pem"
"""
RULES = '[[table]]\nname = "plates"\nfile = "plates.csv"\nkey = "plate"\ncolumns = { owner = "string" }\n'
KEY = "-----BEGIN PRIVATE KEY-----\nCANARY-KEY\n-----END PRIVATE KEY-----\n"


class Site:
    """Its files in one directory."""

    def __init__(self, directory: Path) -> None:
        self.etc = directory / "etc"
        self.state = directory / "lib" / "state"
        self.file = self.etc / "site.toml"
        self.etc.mkdir(parents=True)
        self.file.write_text(SITE.format(state=self.state))
        (self.etc / "rules.toml").write_text(RULES)
        (self.etc / "plates.csv").write_text("plate,owner\nHH-A1,somebody\n")
        for name in ("ca.pem", "own.pem"):
            (self.etc / name).write_text("-----BEGIN CERTIFICATE-----\n")
        (self.etc / "mqtt.key").write_text(KEY)

    @property
    def site(self) -> SiteFile:
        return load_site(self.file)

    def hear(self, batches: int, judged_to: int | None = None, *, items: int = 3) -> None:
        """Journal so many more batches, and have the rules judge up to one of them."""

        async def work() -> None:
            async with opened(self.state / "journal", segment_bytes=20_000) as journal:
                for _ in range(batches):
                    journal.append(reads(items), heard={"reads": items})
                await journal.flush()
                if judged_to is not None:
                    journal.release(judged_to, "session-1", {"reads": judged_to * items})
                    await settled(journal, judged_to)

        asyncio.run(work())

    def judge(self, to: int, *, items: int = 3, key: str = "state") -> None:
        """What the memory of the rules says of it."""
        database = Database(self.state / "rules.db")
        flow = FlowRow("edge-1", self.epoch, to, {"reads": to * items}, {"reads": to * items})
        database.commit(Commit(NOW_US, state=[(key, b"\x01")], flows=[flow]))
        database.close()

    def store(self) -> None:
        journal = EventJournal(self.state / "events", keep_days=36_500, now_us=lambda: NOW_US)
        journal.append([{"signals": [(NOW_US * 1_000, "gate", "beam", "", 1.0, None, None)]}])
        journal.close()

    def tell(self) -> None:
        (self.state / "ledger.json").write_text(json.dumps({"gateway": "edge-1"}))
        (self.state / "edge.lock").touch()

    @property
    def epoch(self) -> int:
        return state_of(self.state).epoch

    def whole(self) -> None:
        self.hear(40, 25)
        self.judge(27)
        self.store()
        self.tell()


def state_of(state: Path) -> segment.State:
    with segment.reading(segment.paths(state / "journal")[-1]) as db:
        return segment.state_of(db)


def sequences(state: Path) -> list[int]:
    found = []
    for path in segment.paths(state / "journal"):
        with closing(sqlite3.connect(path)) as db:
            for sequence, payload in db.execute("SELECT sequence, payload FROM batch ORDER BY sequence"):
                batch = decode(payload)
                assert isinstance(batch, ReadBatch)
                assert batch.sequence == sequence
                found.append(sequence)
    return found
