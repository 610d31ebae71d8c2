"""Answers what the reference implementation makes of EPCIS documents: their pre-hash strings and hashes."""

from __future__ import annotations

import json
import sys

from epcis_event_hash_generator import hash_generator, json_to_py  # type: ignore[import-not-found]  # only in the peer's own venv


def main() -> None:
    """One list of documents in, one list of answers out."""
    answers = []
    for document in json.load(sys.stdin):
        events = json_to_py.event_list_from_epcis_document_json(document)
        pre_hashes = hash_generator.derive_prehashes_from_events(events)
        hashes = hash_generator.calculate_hashes_from_pre_hashes(pre_hashes)
        answers.append({"pre_hashes": pre_hashes, "hashes": hashes})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
