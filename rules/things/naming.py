"""What events call a tag or a card: by the registry of the site, else by what the tag says of itself."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.contract.events import Scalar
from gateway.tag_facts import tag_facts
from rules.things.thing import Thing, Things

CONTAINER: Final = "container"


class Named(NamedTuple):
    """The name of what an event is about, and the further fields that say what it is."""

    name: str | None
    fields: dict[str, Scalar]


NAMELESS: Final = Named(None, {})


class Naming:
    """Names what events are about; nothing of it is done for a read.

    Attributes:
        registry: the things of the site; may be replaced between two events.
    """

    def __init__(self, registry: Things) -> None:
        self.registry = registry

    def tag(self, epc: str, tid: str | None, pc_bits: int | None) -> Named:
        """The thing that carries a tag; of a tag that is in no list, what it says of itself."""
        thing = self.registry.tag(epc, tid)
        if thing is not None:
            return Named(thing.name, self._of(thing))
        facts = tag_facts(epc, pc_bits)
        if facts is None:
            return NAMELESS
        fields: dict[str, Scalar] = {"scheme": facts.scheme, "uri": facts.uri}
        if facts.container_code is not None:
            fields["class"] = CONTAINER
        return Named(facts.container_code, fields)

    def card(self, text: str) -> tuple[str, Named]:
        """Whether the card is known, unknown or ambiguous, and the thing that carries it.

        Raises:
            ValueError, ConfigError: no edge daemon of this site names a card so.
        """
        answer = self.registry.card(text)
        if answer.thing is None:
            return answer.result, Named(None, self._stamp())
        return answer.result, Named(answer.thing.name, self._of(answer.thing))

    def _of(self, thing: Thing) -> dict[str, Scalar]:
        fields: dict[str, Scalar] = {}
        if thing.kind:
            fields["kind"] = thing.kind
        if thing.class_name:
            fields["class"] = thing.class_name
        return fields | self._stamp()

    def _stamp(self) -> dict[str, Scalar]:
        return {"registry": self.registry.version} if self.registry.version else {}
