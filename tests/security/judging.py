"""From what drivers observe to what the rules make of it, the way that everything takes: normalised, sent, judged."""

from __future__ import annotations

import re
from typing import Final

from gateway.config.models import IdentityStyle
from gateway.contract import batches
from gateway.edge.normalise import Normaliser
from gateway.edge.watched import DeviceState
from gateway.identity import Identities
from readers.driver import Kind
from readers.observations import CardReads, DeviceInfo, Observation, Readings, Signals, TagReads
from readers.ports.memory import START_US
from rules.outputs import Outputs
from tests.rules.play import Play, site

CARD: Final = re.compile(r"[a-z0-9]+(~[a-z0-9]+)?#[0-9a-f]{24}")


def judged(heard: list[Observation]) -> list[Outputs]:
    """What the rules make of observations, by way of the edge's normaliser and the messages."""
    normaliser = Normaliser("edge-1", "device-1", {1: "lane-1"})
    identities = Identities(IdentityStyle.KEYED, b"k" * 32)
    made: list[batches.Batch] = []
    for each in heard:
        if isinstance(each, TagReads):
            while not normaliser.take(each):
                made += normaliser.flush()
            made += normaliser.flush()
        elif isinstance(each, CardReads):
            made += normaliser.cards(each, identities)
        elif isinstance(each, Readings):
            made += normaliser.readings(each)
        elif isinstance(each, Signals):
            made += normaliser.signals(each)
        elif isinstance(each, DeviceInfo):
            state = DeviceState("device-1", "driver", Kind.METER, START_US)
            state.info(each, START_US)
            made.append(state.batch("edge-1", START_US))
    play = Play(site())
    ordinals: dict[str, int] = {}
    outputs = []
    for sequence, batch in enumerate(made, 1):
        kind = batches.kind_of(batch)
        batch.epoch, batch.sequence, batch.ordinal = 7, sequence, ordinals.get(kind, 0)
        ordinals[kind] = batch.ordinal + batches.item_count(batch)
        taken = batches.decode(batches.encode(batch))
        if isinstance(taken, batches.CardBatch):
            assert all(CARD.fullmatch(card.card) for card in taken.cards), taken.cards
        outputs.append(play.give(taken))
    return outputs
