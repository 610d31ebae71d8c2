"""The fifty inputs against the ways in: for each pair the test that brings it there, or why it cannot come there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from tests.security.attacks import ATTACKS

HERE: Final = "tests/security/"


class Way(StrEnum):
    """Where a stranger's bytes come in."""

    TAG = "tag memory"
    CARD = "cards"
    LINE = "serial and TCP lines"
    LLRP = "LLRP"
    METER = "texts of meters"
    RULES = "MQTT to the rules"
    CONTROL = "MQTT to control"
    FILES = "site, rule and map files"
    LISTS = "lists (CSV)"
    HTTP = "HTTP"


BRINGS_ALL: Final[dict[Way, str]] = {
    Way.TAG: HERE + "test_tags.py::test_memory_of_a_tag_is_hex",
    Way.CARD: HERE + "test_wires.py::test_numbers_of_cards",
    Way.LINE: HERE + "test_wires.py::test_codecs",
    Way.LLRP: HERE + "test_llrp.py::test_messages_and_parameters",
    Way.METER: HERE + "test_wires.py::test_texts_of_a_p1_meter",
    Way.RULES: HERE + "test_messages.py::test_any_payload_is_a_batch_or_counted",
    Way.CONTROL: HERE + "test_messages.py::test_commands_are_nobodys_or_malformed",
    Way.FILES: HERE + "test_files.py::test_a_site_file_of_it",
    Way.LISTS: HERE + "test_files.py::test_a_list_of_things",
    Way.HTTP: HERE + "test_http.py::test_the_door_of_the_console",
}
"""Each of these tests brings every payload of `tests.security.attacks` to its way."""

PASSIVE: Final = "does not apply: what lies in a memory, on a card or in a list does nothing by itself"
NO_SESSION: Final = "does not apply: this way has no session, identity or certificate of its own"
NO_COMMAND: Final = "does not apply: no command comes this way"
NO_DIRECTORY: Final = "does not apply: nothing that comes this way names a file of ours"
NOT_LLRP: Final = "does not apply: a message of LLRP, and no LLRP is spoken here"
FEW: Final = "does not apply: no reads of tags by the thousand come this way"

CONTROL: Final = "tests/faults/test_control.py::test_messages_that_must_do_nothing"
SESSION: Final = "tests/faults/test_second_daemon.py::test_a_second_daemon_is_refused"
TLS: Final = "tests/system/test_transport_security.py::test_who_does_not_prove_himself_to_us_gets_nothing"
TLS_READER: Final = "tests/readers/ports/test_tcp.py::test_a_device_that_cannot_prove_itself_is_refused"
TLS_OLD: Final = "tests/gateway/console/access/test_tls.py::test_only_tls_1_2_and_1_3_are_spoken_with_forward_secrecy"
CLOCK: Final = "tests/gateway/control/test_desk.py::test_a_clock_that_went_back_refuses"
PERMITS: Final = "tests/gateway/control/test_permits.py::test_a_gateway_whose_clock_went_back_believes_nothing"
LINKS: Final = HERE + "test_files.py::test_a_link_in_the_state_directory_costs_what_it_leads_to_nothing"
MANY: Final = HERE + "test_tags.py::test_a_hundred_thousand_tags_make_no_series"
MANY_RULES: Final = HERE + "test_messages.py::test_rules_take_a_hundred_thousand_tags_in_bounded_memory"
FORGED: Final = "tests/faults/test_hostile_input.py::test_hostile_tags_and_payloads_change_nothing"
REFUSES: Final = HERE + "test_llrp.py::test_a_connection_that_is_refused_for_ever_ends_at_once_each_time"
FLOOD: Final = HERE + "test_llrp.py::test_a_flood_of_keepalives_is_answered_and_holds_nothing"
LOGIN: Final = "tests/gateway/console/access/test_routes.py::test_a_cookie_of_ones_own_making_is_no_session"

OF_DEEDS: Final[dict[int, tuple[str, dict[Way, str]]]] = {
    36: (
        NO_COMMAND,
        {Way.CONTROL: CONTROL, Way.RULES: "tests/rules/daemon/test_alarm_desk.py::test_an_order_is_taken_once"},
    ),
    37: (
        NO_COMMAND,
        {
            Way.CONTROL: CONTROL,
            Way.RULES: "tests/rules/daemon/test_alarm_desk.py::test_strangers_are_counted_and_answered_unsigned",
        },
    ),
    38: (NO_SESSION, {Way.RULES: SESSION, Way.CONTROL: SESSION, Way.HTTP: LOGIN}),
    39: (NOT_LLRP, {Way.LLRP: REFUSES}),
    40: (NOT_LLRP, {Way.LLRP: FLOOD}),
    41: (FEW, {Way.TAG: MANY, Way.LLRP: MANY, Way.LINE: MANY, Way.RULES: MANY_RULES}),
    42: (NO_SESSION, {Way.LLRP: TLS_READER, Way.LINE: TLS_READER}),
    43: (NO_SESSION, {Way.LLRP: TLS_READER, Way.LINE: TLS_READER, Way.RULES: TLS, Way.CONTROL: TLS, Way.HTTP: TLS_OLD}),
    48: (NO_DIRECTORY, {Way.FILES: LINKS, Way.LISTS: LINKS}),
    49: (NO_COMMAND, {Way.CONTROL: CLOCK, Way.RULES: PERMITS}),
}
"""Inputs that are deeds rather than bytes: why they cannot come, and where they do the test that does them.

39 and 40 have bytes, too, which are tried everywhere all the same.
"""
ALSO: Final[dict[tuple[int, Way], str]] = {
    (18, Way.RULES): HERE + "test_messages.py::test_no_text_is_a_level_of_a_topic",
    (19, Way.RULES): HERE + "test_messages.py::test_no_text_is_a_level_of_a_topic",
    (20, Way.RULES): HERE + "test_messages.py::test_no_text_is_a_level_of_a_topic",
    (21, Way.RULES): FORGED,
    (28, Way.HTTP): HERE + "test_http.py::test_a_terminal_is_not_steered",
    (29, Way.HTTP): HERE + "test_http.py::test_a_log_line_is_one_line_of_json_whatever_is_in_it",
    (30, Way.HTTP): "tests/system/console/test_attacks.py::test_exports_are_harmless_in_spreadsheets",
    (34, Way.RULES): FORGED,
    (35, Way.RULES): FORGED,
    (45, Way.FILES): HERE + "test_files.py::test_a_condition",
    (46, Way.METER): HERE + "test_wires.py::test_drivers",
    (47, Way.HTTP): "tests/system/console/test_attacks.py::test_no_request_hides_in_another",
    (50, Way.HTTP): HERE + "test_http.py::test_a_label_stays_in_its_quotes",
}
"""Where another test says more than the one that brings all."""


def cell(number: int, way: Way) -> str:
    """The test of an input at a way in, or why there is none."""
    attack = ATTACKS[number - 1]
    if number in OF_DEEDS:
        reason, tests = OF_DEEDS[number]
        return tests.get(way) or (BRINGS_ALL[way] if attack.payloads else reason)
    return ALSO.get((number, way), BRINGS_ALL[way])


def as_markdown() -> str:
    """The table as the page on threats shows it: T for the test that brings all, a number for another, - for none."""
    others = sorted({cell(a.number, way) for a in ATTACKS for way in Way} - set(BRINGS_ALL.values()))
    notes: dict[str, str] = {}
    for text in others:
        notes[text] = f"{'n' if text.startswith('does not') else 't'}{len(notes) + 1}"
    rows = ["| | input | " + " | ".join(Way) + " |", "|---|---|" + "---|" * len(Way)]
    for attack in ATTACKS:
        cells = [cell(attack.number, way) for way in Way]
        shown = ["T" if text in BRINGS_ALL.values() else notes[text] for text in cells]
        rows.append(f"| {attack.number} | {attack.name} | " + " | ".join(shown) + " |")
    rows += ["", "T is the test that brings every payload to that way:", ""]
    rows += [f"* {way}: `{BRINGS_ALL[way]}`" for way in Way]
    rows += ["", "The others:", ""]
    rows += [f"* {note}: " + (text if note[0] == "n" else f"`{text}`") for text, note in notes.items()]
    return "\n".join(rows) + "\n"
