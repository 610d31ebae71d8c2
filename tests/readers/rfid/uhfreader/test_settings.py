from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.uhfreader_info import TYPES
from readers.ports.memory import MemoryPort
from readers.rfid.uhfreader.settings import MODEL_OF_TYPE, PROFILES, Model, UhfReaderSettings


def test_the_shortest_file_is_one_reader_alone_on_its_line() -> None:
    settings = UhfReaderSettings()
    [unit] = settings.line_units()
    assert (unit.address, unit.antennas) == (255, (1,))
    assert settings.antenna_ports() == (1,)


def test_ports_of_several_units() -> None:
    units = [{"address": 0, "antennas": [1, 2]}, {"address": 7, "antennas": [1, 3], "first_port": 10}]
    assert UhfReaderSettings.model_validate({"units": units}).antenna_ports() == (1, 2, 10, 12)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"units": [{"address": 1}], "antennas": [1]}, "leave `address` and `antennas` out"),
        ({"units": [{"address": 1}, {"address": 1, "first_port": 5}]}, "address 1 is given to two readers"),
        ({"units": [{"address": 1}, {"address": 2}]}, "antenna port 1 belongs to address 1 and to address 2"),
        ({"units": [{"address": 255}, {"address": 2, "first_port": 5}]}, "address 255 is for a reader that is alone"),
        (
            {"units": [{"address": 1}, {"address": 2, "first_port": 5}], "mode": "active"},
            "readers that report by themselves cannot share a line",
        ),
        ({"antennas": [0]}, "antenna 0 of address 255"),
        ({"antennas": [2, 2]}, "antenna port 2 belongs to"),
        ({"model": "rr18", "antennas": [1, 2]}, "model rr18 has 1 antennas at most, not 2"),
        ({"model": "86", "antennas": [5]}, "model 86 has 4 antennas at most, not 5"),
        ({"model": "288", "antennas": [9]}, "model 288 has 8 antennas at most, not 9"),
        ({"model": "16_port", "antennas": [17]}, "model 16_port has 16 antennas at most, not 17"),
        ({"model": "rr18", "q": 4, "session": "s1"}, "model rr18 does not know q, session"),
        ({"model": "rr18", "mode": "active"}, "no document says in what form it reports by itself"),
        ({"model": "18"}, "Input should be"),
        ({"tx_power_dbm": 34}, "less than or equal to 33"),
        ({"region": "mars"}, "Input should be"),
        ({"scan_time_s": 0.2}, "greater than or equal to 0.3"),
        ({"gap_ms": 15}, "greater than or equal to 20"),
        ({"x": 1}, "Extra inputs"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        UhfReaderSettings.model_validate(wrong)


def test_every_known_type_has_a_model_and_every_model_a_profile() -> None:
    assert MODEL_OF_TYPE.keys() == TYPES.keys()
    assert PROFILES.keys() == set(Model)


def test_the_pause_that_ends_a_frame_is_longer_where_a_network_lies_between() -> None:
    class Line(MemoryPort):
        @property
        def baud(self) -> int | None:
            return 57_600

    assert UhfReaderSettings().gap_s(MemoryPort("")) == 0.25
    assert UhfReaderSettings().gap_s(Line("")) == 0.05
    assert UhfReaderSettings(gap_ms=20).gap_s(Line("")) == 0.02
