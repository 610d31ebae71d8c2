from __future__ import annotations

import re
from enum import StrEnum

import pytest

from readers import machine_states
from readers.machine_states import MachineMode, MachineState

SIGNALS = {name: value for name, value in vars(machine_states).items() if name.isupper() and isinstance(value, str)}


def test_signal_names_may_stand_in_a_site_file_and_are_distinct() -> None:
    assert len(SIGNALS) == 10
    assert len(set(SIGNALS.values())) == len(SIGNALS)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value) for value in SIGNALS.values())


@pytest.mark.parametrize("names", [MachineState, MachineMode])
def test_states_are_told_in_lower_case_words(names: type[StrEnum]) -> None:
    assert [each.value for each in names] == [each.name.lower() for each in names]


def test_silence_has_no_state() -> None:
    assert not {"offline", "unknown", "no_data"} & {state.value for state in MachineState}
