"""An independent reader of EDIFACT."""

from __future__ import annotations

import warnings

from pydifact import Parser
from pydifact.exceptions import MissingImplementationWarning
from pydifact.segmentcollection import Interchange


def read_interchange(body: bytes) -> Interchange:
    """The interchange; what it says of syntax it judges, but it comes without the segments of any directory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingImplementationWarning)
        return Interchange.from_str(body.decode("latin-1"))


def read_segment(text: str) -> tuple[str, list[list[str]]]:
    """The tag of a segment, and the components of its elements without empty ends."""
    (found,) = Parser().parse(text)
    elements = [without_end([each] if isinstance(each, str) else list(each)) for each in found.elements]
    while elements and not elements[-1]:
        elements.pop()
    return found.tag, elements


def without_end(components: list[str]) -> list[str]:
    """Without empty components at the end."""
    kept = list(components)
    while kept and not kept[-1]:
        kept.pop()
    return kept
