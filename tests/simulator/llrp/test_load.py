from __future__ import annotations

import pytest

from readers.ports.memory import START_US, run
from simulator.llrp.codec import Decoder, decode
from simulator.llrp.identities import impinj_r420
from simulator.llrp.load import LoadRadio
from simulator.llrp.reader import SimulatedReader
from simulator.llrp.reports import Content, Source, message
from tests.simulator.llrp.client import connected, report_spec, rospec, run_rospec

HERE = Source(1, 1, 1)
S_US = 1_000_000


@pytest.mark.parametrize("n", [1, 7, 50])
def test_the_template_says_what_the_slow_way_says(n: int) -> None:
    content = Content(antenna=True, rssi=True, first_seen=True, last_seen=True, count=True, impinj_rssi=True)
    radio = LoadRadio(350.0, tags=21)
    sightings = {s.at_us: s for s in radio.heard(3, START_US - S_US, START_US + 2 * S_US)}
    count = 0
    for start in range(START_US, START_US + S_US, 20_000):
        for data, reads in radio.records(content, HERE, n, 3, start, start + 20_000):
            (frame,) = Decoder().feed(message(data, 1, 1))
            tags = decode(frame).all("TagReportData")
            assert len(tags) == reads == n
            for tag in tags:
                seen = sightings[tag.need("FirstSeenTimestampUTC").number("Microseconds")]
                assert tag.need("LastSeenTimestampUTC").number("Microseconds") == seen.at_us
                assert tag.need("EPC_96").number("EPC").to_bytes(12, "big") == seen.epc
                assert tag.need("PeakRSSI").number("PeakRSSI") == seen.rssi_dbm
                count += 1
    assert count == pytest.approx(350, abs=2 * n + 10)


@pytest.mark.parametrize(
    "flags", [{}, {"EnableFirstSeenTimestamp": 1}, {"EnableLastSeenTimestamp": 1, "EnableAntennaID": 1}]
)
def test_a_reader_plays_the_rate_and_counts_every_read(flags: dict[str, int]) -> None:
    async def scene() -> None:
        radio = LoadRadio(1100.0)
        reader = SimulatedReader(impinj_r420(), radio)
        async with connected(reader) as client:
            await run_rospec(client, rospec(report=report_spec(n=50, trigger=1, memory=None, **flags)))
            await client.listen(10.0)
            assert len(client.reads()) == pytest.approx(11_000, abs=100)
            if "EnableFirstSeenTimestamp" in flags:
                times = [tag.need("FirstSeenTimestampUTC").number("Microseconds") for tag in client.reads()]
                assert times == sorted(set(times))
        assert radio.made == reader.inventory.reads_heard
        assert radio.made == reader.outgoing.reads_sent + sum(reader.outgoing.dropped.values())

    run(scene())


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="reads_per_s 0, tags 200, batch 50: all must be above 0"):
        LoadRadio(0)
