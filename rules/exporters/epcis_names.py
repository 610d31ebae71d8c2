"""What things, places and transactions are called in EPCIS: by GS1 numbers where they have one, else by own URIs."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from gateway.config.exports import MOST_EXTENSION, EpcisExport, Identifiers
from gateway.tag_facts import container_number, tag_facts
from rules.exporters.gs1_uri import canonical, is_gln, location_link, sgln

CONTAINER: Final = "container"
_BIC: Final = "urn:epc:id:bic:"
_RAW: Final = "urn:epc:raw:"
_RESTRICTED: Final = re.compile(
    r"urn:epc:id:(sgtin|sscc|sgln|grai|giai|gsrnp?|gdti|cpi|sgcn|itip):(000000|02|04|2)", re.ASCII
)
"""GS1 prefixes that any company may use inside, so that they name nothing outside; whoever numbers tags by himself
often has zeros there. Source: GS1 General Specifications, section 1.4, GS1 Prefixes of restricted circulation."""
_EPC: Final = re.compile(r"([0-9A-F]{4}){1,31}", re.ASCII)


class EpcisNames:
    """The names of one site."""

    def __init__(self, settings: EpcisExport, *, site: str) -> None:
        self._settings = settings
        self._site = site
        self._links = settings.identifiers is Identifiers.DIGITAL_LINK

    def thing(
        self, *, epc: str | None = None, name: str | None = None, kind: str | None = None, uri: str | None = None
    ) -> str | None:
        """The URI of a thing; None when it has none.

        Args:
            epc: its EPC in hex; anything else says nothing.
            name: what people call it.
            kind: its class; a `container` is called by its ISO 6346 number.
            uri: what its tag says, if that is known.
        """
        if kind == CONTAINER and name is not None and (number := container_number(name)) is not None:
            return _BIC + number
        epc = epc if epc is not None and _EPC.fullmatch(epc) else None
        found = self._of_tag(epc, uri)
        if found is not None:
            return found
        own = self._settings.uri
        if own is None or (name is None and epc is None):
            return None
        return f"{own}/thing/{quote(name, safe='', errors='replace')}" if name else f"{own}/tag/{epc}"

    def container(self, number: str) -> str | None:
        """The URI of a freight container by its ISO 6346 number; None when that is none."""
        found = container_number(number)
        return None if found is None else _BIC + found

    def place(self, name: str) -> str | None:
        """The URI of a zone, portal, lane or read point; None when it has none."""
        settings = self._settings
        given = settings.places.get(name)
        if given is not None:
            return self._location(given) if is_gln(given) else self._identity(given)
        if settings.gln is not None and len(name) <= MOST_EXTENSION:
            return self._location(settings.gln, name)
        return f"{settings.uri}/place/{name}" if settings.uri is not None else None

    def site(self) -> str:
        """The URI of the whole site."""
        settings = self._settings
        given = settings.places.get(self._site, settings.gln)
        if given is None:
            return f"{settings.uri}/place/{self._site}"
        return self._location(given) if is_gln(given) else self._identity(given)

    def transaction(self, event_id: str) -> str:
        """The URI of a business transaction."""
        settings = self._settings
        if settings.gln is not None:
            return f"urn:epcglobal:cbv:bt:{settings.gln}:{event_id}"  # CBV 2.0, section 8.5
        return f"{settings.uri}/transaction/{event_id}"

    def _of_tag(self, epc: str | None, uri: str | None) -> str | None:
        """What the tag says; bits that others may use as well, raw or of restricted circulation, name no thing."""
        if uri is None and epc is not None:
            facts = tag_facts(epc, None)
            uri = facts.uri if facts is not None else None
        if uri is None or uri.startswith(_RAW) or _RESTRICTED.match(uri):
            return None
        return self._identity(uri)

    def _identity(self, uri: str) -> str:
        """A Digital Link that a tag holds is made canonical, because the rest of it is no identity."""
        return canonical(uri) if self._links or not uri.startswith("urn:") else uri

    def _location(self, gln: str, extension: str | None = None) -> str:
        if self._links or self._settings.company_prefix is None:
            return location_link(gln, extension)
        return sgln(gln, len(self._settings.company_prefix), extension if extension is not None else "0")
