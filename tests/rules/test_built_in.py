from __future__ import annotations

import msgspec
import pytest

from gateway.config.models import Zone
from gateway.config.rules import AlarmSettings, MatchRule
from gateway.contract.batches import Batch, CardBatch, ReadBatch, TagRead
from gateway.contract.events import Event, Evidence
from gateway.contract.measurements import MEASUREMENTS
from readers.tagdata.cards import CardIdentity
from readers.tagdata.encode import encode_iso
from rules.built_in import CARD_PRESENTED
from rules.outputs import Outputs
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from rules.things.registry import Registry
from rules.things.thing import Thing
from tests.rules.play import EPC, OTHER, START_US, Play, run, site, us
from tests.rules.things.registries import IDENTITIES, NOTHING, registry

SEVEN, OTHER_SEVEN, STRANGER = "nfca:04A1B2C3D4E5F6", "nfca:04FFFFFFD4E5F6", "nfca:04000000000000"
THINGS = registry(
    {EPC: Thing("Truck 7", "truck", "40 t")},
    cards={SEVEN: Thing("Kim", "person", "driver"), OTHER_SEVEN: Thing("Jo")},
    version="1f2e3d4c5b6a",
)


def name(text: str) -> str:
    return IDENTITIES.name(CardIdentity.from_text(text))


def test_a_card_that_is_presented_is_an_event_about_its_thing() -> None:
    play = Play(site(), THINGS)
    (event,) = play.card(1.0, name(SEVEN), device="door", point="door-in").events
    assert event == Event(
        id=event.id,
        type=CARD_PRESENTED,
        at_us=us(1.0),
        subject=name(SEVEN),
        evidence=Evidence(
            gateway="edge-1",
            epoch=7,
            sequence_from=1,
            sequence_to=1,
            reads=1,
            read_points=("door-in",),
            last_seen_at_us=us(1.0),
        ),
        name="Kim",
        read_point="door-in",
        device="door",
        fields={
            "result": "known",
            "technology": "nfca",
            "part": "whole",
            "kind": "person",
            "class": "driver",
            "registry": "1f2e3d4c5b6a",
        },
    )


def test_what_is_not_known_is_said_and_not_guessed() -> None:
    play = Play(site(), THINGS)
    events = play.card(1.0, name(STRANGER), name("wiegand~last24:D4E5F6")).events
    assert [(event.name, event.fields["result"], event.fields["part"]) for event in events] == [
        (None, "unknown", "whole"),
        (None, "ambiguous", "last24"),
    ]
    assert all("kind" not in event.fields and event.fields["registry"] == "1f2e3d4c5b6a" for event in events)
    (event,) = Play(site()).card(1.0, name(SEVEN)).events
    assert (event.fields["result"], "registry" in event.fields) == ("unknown", False)


def test_ids_rest_on_the_presentation_whatever_the_list_says() -> None:
    def ids(things: Registry) -> list[str]:
        play = Play(site(), things)
        play.card(1.0, name(SEVEN), name(SEVEN), name(STRANGER))
        play.card(1.0, name(SEVEN))
        return [event.id for event in play.events]

    assert ids(THINGS) == ids(NOTHING)
    assert len(set(ids(THINGS))) == 4


def test_a_backlog_is_told_as_such() -> None:
    play = Play(site(), THINGS)
    play.card(100.0, name(SEVEN))
    (batch,) = play.batches
    assert isinstance(batch, CardBatch)
    batch.cards[0] = msgspec.structs.replace(batch.cards[0], seen_at_us=us(30.0))
    (event,) = play.engine.step(batch).events
    assert event.historical
    play.historical = True
    assert play.card(201.0, name(SEVEN)).events[0].historical


def test_rules_look_at_cards_and_at_their_events() -> None:
    rules = [
        MatchRule(name="stranger", shape="match", on="card", when="e.result == 'unknown'", alarm=AlarmSettings()),
        MatchRule(name="driver-came", shape="match", on="card", when="e.class == 'driver' && e.read_point == 'door-1'"),
        MatchRule(name="twins", shape="match", on=CARD_PRESENTED, when="e.result == 'ambiguous'", emit="unclear"),
    ]
    play = Play(site(*rules), THINGS)
    play.card(1.0, name(SEVEN))
    play.card(2.0, name(STRANGER))
    play.card(3.0, name("wiegand~last24:D4E5F6"))
    made = [event for event in play.events if event.type != CARD_PRESENTED]
    assert [(event.type, event.subject, event.name) for event in made] == [
        ("driver-came", name(SEVEN), "Kim"),
        ("unclear", name("wiegand~last24:D4E5F6"), None),
    ]
    assert made[0].fields["kind"] == "person"
    assert made[0].evidence.read_points == ("door-1",)
    assert made[1].evidence.sequence_from == 3
    (alarm,) = play.alarms
    assert (alarm.rule, alarm.subject, alarm.state) == ("stranger", name(STRANGER), "raised")
    assert alarm.fields == {"result": "unknown", "read_point": "door-1", "device": "reader-1"}


def test_alarms_about_cards_are_forgotten_with_them() -> None:
    rule = MatchRule(name="stranger", shape="match", on="card", when="e.result == 'unknown'", alarm=AlarmSettings())
    play = Play(site(rule))
    play.card(1.0, name(STRANGER))
    play.tick(100_000.0)
    assert [alarm.state for alarm in play.alarms] == ["raised", "cleared"]


def test_no_card_is_ever_a_tag_of_a_store() -> None:
    play = Play(site(), THINGS)
    play.card(1.0, name(SEVEN), name(STRANGER))
    assert play.points == []
    encoder = Encoder(site="harbour", guard=SeriesGuard(100, lambda *_: None), store_reads=True)
    lines, refused = encoder.lines(Outputs(START_US, events=play.events))
    assert (len(lines), refused) == (2, [])
    for line in lines:
        series = line.partition(" ")[0]
        assert series.startswith("event,")
        assert "#" not in series
        assert "Kim" not in series
    assert not any("card" in measurement.tags for measurement in MEASUREMENTS.values())


def tagged(at_s: float, epc: str, pc_bits: int | None = None, tid: str | None = None) -> TagRead:
    return TagRead(epc, 1, "dock", us(at_s), -50.0, 3, None, pc_bits, tid)


def passing(play: Play, *reads: TagRead) -> list[Event]:
    """The events of a tag that comes to the dock and goes."""
    play.watch(0.0, "dock")
    for read in reads:
        play.reads((read.seen_at_us - START_US) / 1e6, read)
    play.until(20.0)
    return play.events


DOCK = Zone(name="dock", read_points=["dock"], arrive_reads=1, depart_after_s=2)


def test_a_tag_is_named_by_its_tid_even_if_only_one_read_had_it() -> None:
    play = Play(site(zones=[DOCK]), registry(tids={"E2801160": Thing("Seal 9", "seal")}, version="1f"))
    events = passing(play, tagged(1.0, OTHER, tid="E2801160"), tagged(2.0, OTHER), tagged(3.0, OTHER))
    assert [(event.type, event.name) for event in events] == [("arrived", "Seal 9"), ("departed", "Seal 9")]
    assert events[0].fields == {"kind": "seal", "registry": "1f"}


def test_a_container_that_is_in_no_list_is_named_by_its_tag() -> None:
    tag = encode_iso(0xA9, "7BCSQU3054383")
    rule = MatchRule(name="box-in", shape="match", on="arrived", when="e.class == 'container' && has(e.uri)")
    play = Play(site(rule, zones=[DOCK]), THINGS)
    events = passing(play, tagged(1.0, tag.epc.hex().upper(), tag.pc_bits))
    assert [(event.type, event.name) for event in events] == [
        ("arrived", "CSQU3054383"),
        ("box-in", "CSQU3054383"),
        ("departed", "CSQU3054383"),
    ]
    assert events[0].fields["scheme"] == "iso-17363"
    assert "registry" not in events[0].fields


def test_what_was_known_of_a_tag_survives_a_restart() -> None:
    things = registry(tids={"E2801160": Thing("Seal 9")})
    play = Play(site(zones=[DOCK]), things)
    play.watch(0.0, "dock")
    play.reads(1.0, tagged(1.0, OTHER, tid="E2801160"))
    entries = [(key, value) for key, value in play.engine.changes() if value is not None]
    play.tick(1.9)
    entries = dict(entries) | dict(play.engine.changes())  # type: ignore[assignment]  # None for what is gone
    again = Play(site(zones=[DOCK]), things)
    again.engine.restore((key, value) for key, value in entries.items() if value is not None)  # type: ignore[attr-defined]  # a dict since
    again.sequence, again.watched, again.at_s = play.sequence, play.watched, play.at_s
    again.until(20.0)
    assert [(event.type, event.name) for event in again.events if event.type == "departed"] == [("departed", "Seal 9")]


def test_another_list_is_used_from_the_next_event_on() -> None:
    play = Play(site(), registry(cards={SEVEN: Thing("Kim")}, version="one"))
    play.card(1.0, name(SEVEN))
    play.engine.install(registry(cards={SEVEN: Thing("Kim Lee")}, version="two"))
    play.card(2.0, name(SEVEN))
    assert [(event.name, event.fields["registry"]) for event in play.events] == [("Kim", "one"), ("Kim Lee", "two")]


@pytest.mark.parametrize("card", ["", "04A1B2C3D4E5F6", "nfca#short", "x" * 1000])
def test_a_name_that_no_edge_daemon_gives_is_not_judged(card: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Play(site()).card(1.0, card)


def test_the_same_batches_give_the_same_events() -> None:
    play = Play(site(zones=[DOCK]), THINGS)
    play.card(1.0, name(SEVEN))
    passing(play, tagged(2.0, EPC, 0x3000, "E2801160"))
    batches: list[Batch] = play.batches
    assert any(isinstance(batch, ReadBatch) for batch in batches)
    again = run(play.file, batches, THINGS)
    assert [event for outputs in again for event in outputs.events] == play.events
