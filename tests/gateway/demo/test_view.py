import io
from decimal import Decimal

import msgspec
from rich.console import Console

from gateway.console.live import Live
from gateway.contract.batches import Reading, ReadingBatch, StatusBatch, encode
from gateway.contract.events import Event, Evidence
from gateway.demo.view import render


def test_the_picture_shows_devices_and_events_and_takes_no_markup_from_them() -> None:
    live = Live("site")
    status = StatusBatch(
        gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="reading", since_us=1, heard=1234
    )
    live.feed("tagwharf/1/site/gate-1/status", encode(status))
    event = Event(
        id="1",
        type="passage",
        at_us=1_767_225_600_000_000,
        subject="ABCD",
        name="[red]TWHU[/red]",
        zone="lane-1",
        direction="in",
        evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1, reads=17),
    )
    live.feed("tagwharf/1/site/events/passage", msgspec.json.encode(event))
    for tariff, value in ((None, "402118500"), (1, "40211830")):
        quantity = Reading("active_energy_import", "1-0:1.8.0", Decimal(value), "Wh", tariff=tariff)
        batch = ReadingBatch(gateway="edge-1", device="feeder-7", received_at_us=1, readings=[quantity])
        live.feed("tagwharf/1/site/feeder-7/readings", encode(batch))
    orders = [{"device": "feeder-7", "action": "trip", "state": "verified", "audit_sequence": 3}]
    screen = io.StringIO()
    Console(file=screen, width=120).print(render(live, "http://127.0.0.1:8680/", "30 s left", orders))
    shown = screen.getvalue()
    assert "40,211.83" in shown
    for text in ("trip", "verified", "audit record 3", "尖 kWh"):
        assert text in shown
    for text in ("gate-1", "online", "1,234", "passage", "[red]TWHU[/red]", "lane-1", "17 reads", "127.0.0.1:8680"):
        assert text in shown
