import asyncio
from pathlib import Path

from gateway.contract.ledger import decode_edge_ledger
from gateway.edge.intake import Intake
from gateway.edge.ledger import FILE, edge_ledger, write_ledger
from gateway.health import Health
from readers.driver import Kind
from readers.observations import Rejected, TagRead, TagReads
from tests.gateway.edge.support import GATEWAY, opened, settled


def test_it_balances_at_every_stage_and_in_the_next_life(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "journal") as journal:
            intake = Intake(GATEWAY, journal, Health("edge"))
            _, report = intake.reader("gate", "llrp", Kind.RFID, {}, ())
            for index in range(300):
                report(TagReads.of(1, TagRead(b"\x01")))
                if index % 7 == 0:
                    report(Rejected("length", reads_lost=1))
                if index % 50 == 0:
                    await asyncio.sleep(0.03)
                    journal.release(journal.last, "broker", None)
                assert edge_ledger(GATEWAY, journal, intake).tag_reads.balanced
            intake.flush()
            await journal.flush()
            journal.release(journal.last, "broker", None)
            await settled(journal, journal.last)
            last = edge_ledger(GATEWAY, journal, intake)
            assert (last.tag_reads.heard, last.tag_reads.judged, last.tag_reads.queued) == (343, 300, 0)
            write_ledger(tmp_path, last)
        assert decode_edge_ledger((tmp_path / FILE).read_bytes()) == last
        async with opened(tmp_path / "journal") as journal:
            again = edge_ledger(GATEWAY, journal, Intake(GATEWAY, journal, Health("edge")))
            assert again.tag_reads == last.tag_reads
            assert (again.epoch, again.next_sequence) == (last.epoch, last.next_sequence)

    asyncio.run(main())
