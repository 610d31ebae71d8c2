from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.a0_band import WHOLE, CustomBand, RegionCode, TableBand
from readers.rfid.a0.settings import A0Settings


def test_the_shortest_file_reads_the_first_antenna_of_whoever_is_there() -> None:
    settings = A0Settings()
    assert settings.antenna_ports() == (1,)
    assert [unit.address for unit in settings.units] == [255]
    assert settings.is_met_by(WHOLE[RegionCode.FCC])


def test_ports_of_all_units_and_their_powers() -> None:
    settings = A0Settings.model_validate(
        {
            "units": [{"address": 1, "antennas": [1, 2]}, {"address": 2, "antennas": [4], "first_port": 5}],
            "tx_power_dbm": 30,
            "antenna_tx_power_dbm": {"8": 17},
        }
    )
    assert settings.antenna_ports() == (1, 2, 8)
    assert [settings.power_dbm(port) for port in settings.antenna_ports()] == [30, 30, 17]


def test_a_narrower_band_of_the_region_is_kept_and_another_is_not() -> None:
    settings = A0Settings.model_validate({"region": "us"})
    assert settings.is_met_by(TableBand(RegionCode.FCC, 20, 30))
    assert not settings.is_met_by(WHOLE[RegionCode.ETSI])
    assert not settings.is_met_by(CustomBand(902_000, 500, 53))
    own = A0Settings.model_validate({"channels": {"start_khz": 920_625, "step_khz": 250, "count": 16}})
    assert own.is_met_by(CustomBand(920_625, 250, 16))
    assert not own.is_met_by(CustomBand(920_625, 250, 15))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"units": []}, "units"),
        ({"units": [{"address": 255}, {"address": 1, "first_port": 2}]}, "address 255 reaches every reader"),
        ({"units": [{"address": 1}, {"address": 1, "first_port": 2}]}, "given to two readers"),
        ({"units": [{"address": 1, "antennas": [5]}]}, "antenna 5 of address 1: reader_ports = 4"),
        ({"reader_ports": 6}, "reader_ports"),
        ({"region": "us", "channels": {"start_khz": 920_625, "step_khz": 250, "count": 16}}, "not both"),
        ({"channels": {"start_khz": 920_625, "step_khz": 255, "count": 16}}, "step_khz"),
        ({"channels": {"start_khz": 959_000, "step_khz": 500, "count": 4}}, "the last frequency would be 960500"),
        ({"channels": {"start_khz": 920_625, "step_khz": 250, "count": 65}}, "count"),
        ({"phase_steps_per_turn": 128}, "phase_steps_per_turn needs"),
        ({"phase_steps_per_turn": 128, "inventory": "fast_switch"}, "phase_steps_per_turn needs"),
        ({"antenna_tx_power_dbm": {"2": 20}}, "port 2, which no unit reads"),
        ({"antenna_tx_power_dbm": {"1": 34}}, "port 1 is 34"),
        ({"tx_power_dbm": 34}, "tx_power_dbm"),
        ({"tx_power_dbm": 20.5}, "tx_power_dbm"),
        ({"repeat": 0}, "repeat"),
        ({"session": 4}, "session"),
        ({"x": 1}, "x"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        A0Settings.model_validate(wrong)


def test_phase_goes_with_the_long_fast_switch_and_with_session() -> None:
    assert A0Settings.model_validate({"phase_steps_per_turn": 128, "inventory": "session"}).wants_phase
    long = {"phase_steps_per_turn": 128, "inventory": "fast_switch", "fast_switch_form": "long"}
    assert A0Settings.model_validate(long).wants_phase
