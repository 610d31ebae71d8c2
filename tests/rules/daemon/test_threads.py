from __future__ import annotations

import asyncio
from pathlib import Path

from rules.daemon.database import Commit, Database, Message
from rules.daemon.threads import DatabaseThreads
from rules.outputs import Parcel


def test_the_event_loop_turns_while_the_database_works(tmp_path: Path) -> None:
    async def main() -> None:
        threads = DatabaseThreads(Database(tmp_path / "rules.db"))
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        parcels = [(n, "store", Parcel("events", b"x" * 10_000, 3, 7)) for n in range(1, 500)]
        await threads.commit(Commit(at_us=1, parcels=parcels, messages=[Message(1, "events/x", b"{}")]))
        assert turns > 3
        assert len(await threads.read_parcels("store", 0, 10_000, 30_000)) == 3
        assert [m.id for m in await threads.read_messages(0, 5)] == [1]
        turning.cancel()
        threads.close()

    asyncio.run(main())
