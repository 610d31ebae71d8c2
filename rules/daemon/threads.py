"""The database behind two threads: one commits, one reads; the event loop does neither."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from rules.daemon.database import Commit, Database, Message, Queued, Totals


class DatabaseThreads:
    """`Database`, for coroutines. Its methods raise what those of `Database` raise."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._writing = ThreadPoolExecutor(1, "rules-commit")
        self._reading = ThreadPoolExecutor(1, "rules-read")

    async def commit(self, commit: Commit) -> Totals:
        """See `Database.commit`."""
        return await asyncio.get_running_loop().run_in_executor(self._writing, self.database.commit, commit)

    async def read_parcels(self, sink: str, after_id: int, most_points: int, most_bytes: int) -> list[Queued]:
        """See `Database.read_parcels`."""
        read = self.database.read_parcels
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, read, sink, after_id, most_points, most_bytes)

    async def read_messages(self, after_id: int, most: int) -> list[Message]:
        """See `Database.read_messages`."""
        read = self.database.read_messages
        return await asyncio.get_running_loop().run_in_executor(self._reading, read, after_id, most)

    def close(self) -> None:
        """Wait for what is under way and close the file."""
        self._writing.shutdown()
        self._reading.shutdown()
        self.database.close()
