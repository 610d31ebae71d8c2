from __future__ import annotations

from dataclasses import replace

import pytest

from readers.errors import DeviceRefusedError
from readers.rfid.llrp import access, answers, intent
from readers.rfid.llrp.settings import LlrpSettings, TagFilter
from tests.readers.rfid.llrp.scripted import capabilities

CAN = answers.capabilities(capabilities())
MODES = ((0, 0, 2, 640_000), (1, 1, 2, 640_000), (2, 2, 3, 274_000), (3, 3, 3, 170_600), (4, 2, 2, 640_000))
IMPINJ = answers.capabilities(capabilities(manufacturer=25882, modes=(*MODES, (1002, 2, 3, 9_000_000))))
ETSI = answers.capabilities(capabilities(hopping=False))
IMPINJ_ETSI = answers.capabilities(capabilities(manufacturer=25882, hopping=False))


def plan(can: answers.Capabilities = CAN, version: int = 1, password: int = 0, **settings: object) -> intent.Plan:
    return intent.plan(LlrpSettings.model_validate(settings), can, version, password)


@pytest.mark.parametrize(
    ("asked_dbm", "index", "dbm"),
    [(30.0, 3, 30.0), (29.99, 2, 20.0), (20.0, 2, 20.0), (10.0, 1, 10.0), (None, 3, 30.0)],
)
def test_power_is_the_nearest_step_not_above(asked_dbm: float | None, index: int, dbm: float) -> None:
    what = plan(tx_power_dbm=asked_dbm)
    (antenna,) = what.antennas
    assert (antenna.port, antenna.power_index, antenna.power_dbm) == (0, index, dbm)


def test_a_table_need_not_be_in_order() -> None:
    can = replace(CAN, power_dbm={9: 27.0, 2: 30.0, 5: 24.5})
    assert plan(can, tx_power_dbm=29).antennas[0].power_index == 9


@pytest.mark.parametrize("asked_dbm", [30.1, 9.9])
def test_power_outside_the_table_is_refused_with_what_is_allowed(asked_dbm: float) -> None:
    with pytest.raises(DeviceRefusedError, match=rf"tx_power_dbm = {asked_dbm}: .* allows 10 to 30"):
        plan(tx_power_dbm=asked_dbm)


@pytest.mark.parametrize(("powers", "dbm"), [((1000, 1500), 15.0), ((3100, 3150), 31.0)])
def test_the_power_of_a_profile_yields_to_the_region(powers: tuple[int, ...], dbm: float) -> None:
    assert plan(answers.capabilities(capabilities(powers=powers)), profile="gate").antennas[0].power_dbm == dbm


def test_a_reader_without_power_levels_is_refused() -> None:
    with pytest.raises(DeviceRefusedError, match="no transmit power levels"):
        plan(replace(CAN, power_dbm={}))


def test_antennas_beyond_the_reader_are_refused() -> None:
    with pytest.raises(DeviceRefusedError, match=r"antennas = \[3, 9\]: the reader has 2 antenna ports"):
        plan(antennas=[1, 3, 9])


def test_all_antennas_by_default_else_those_that_were_named() -> None:
    assert plan().antenna_ports == (0,)
    assert plan(antennas=[2]).antenna_ports == (2,)


def test_a_hopping_region_uses_the_readers_own_table() -> None:
    assert (plan().hop_table_id, plan().channel_index) == (5, 1)
    with pytest.raises(DeviceRefusedError, match=r"hops by tables \[5\]"):
        plan(channel_index=2)


def test_a_fixed_region_uses_a_channel() -> None:
    assert (plan(ETSI).hop_table_id, plan(ETSI).channel_index) == (0, 1)
    assert plan(ETSI, channel_index=3).channel_index == 3
    with pytest.raises(DeviceRefusedError, match=r"3 channels \(902.75 MHz, .*\); name 1 to 3"):
        plan(ETSI, channel_index=4)


FREQUENCIES = bytes.fromhex("0000651A 0000001A")  # ImpinjFixedFrequencyList


def test_an_impinj_reader_chooses_its_channel_itself_unless_it_is_told() -> None:
    assert FREQUENCIES + bytes.fromhex("0001 0000 0000") in plan(IMPINJ_ETSI).inventory
    assert FREQUENCIES not in plan(IMPINJ_ETSI, channel_index=2).inventory
    assert FREQUENCIES not in plan(IMPINJ).inventory
    assert FREQUENCIES not in plan(ETSI).inventory


def test_an_impinj_reader_changes_among_the_channels_that_it_is_told() -> None:
    what = plan(IMPINJ_ETSI, channels=[1, 3])
    assert FREQUENCIES + bytes.fromhex("0002 0000 0002 0001 0003") in what.inventory
    assert (what.channel_index, what.any_channel) == (1, False)
    with pytest.raises(DeviceRefusedError, match=r"channels = \[2, 4\]: .* 3 channels .* name 1 to 3"):
        plan(IMPINJ_ETSI, channels=[2, 4])
    with pytest.raises(DeviceRefusedError, match=r"channels = \[1\]: the reader's region hops"):
        plan(IMPINJ, channels=[1])
    with pytest.raises(DeviceRefusedError, match="channels: only Impinj readers"):
        plan(ETSI, channels=[1])


@pytest.mark.parametrize(
    ("profile", "mode"),
    [("gate", 2), ("lane", 2), ("yard", 3), ("station", 1), ("shelf", 4)],
)
def test_the_mode_follows_the_profile(profile: str, mode: int) -> None:
    assert plan(IMPINJ, profile=profile).mode_identifier == mode


def test_a_mode_may_be_named_if_the_reader_has_it() -> None:
    assert plan(IMPINJ, mode_identifier=1002).mode_identifier == 1002
    with pytest.raises(DeviceRefusedError, match="mode_identifier = 7: the reader's modes are 1, 2"):
        plan(mode_identifier=7)


def test_a_reader_without_modes_is_left_alone() -> None:
    what = plan(answers.capabilities(capabilities(modes=())))
    assert what.mode_identifier is None


def test_reports_come_by_number_and_are_asked_for_in_time() -> None:
    what = plan(profile="gate")
    assert (what.report_trigger, what.report_n, what.poll_s) == (intent.BY_COUNT, 50, 0.1)
    what = plan(report_every_n=7, report_within_s=3)
    assert (what.report_n, what.poll_s) == (7, 3.0)


def test_reports_one_by_one_are_not_asked_for() -> None:
    assert plan(report_every_n=1).poll_s is None


def test_a_reader_of_llrp_1_1_reports_by_time() -> None:
    what = plan(version=2, report_within_s=0.25)
    assert (what.report_trigger, what.report_n, what.poll_s) == (intent.BY_TIME, 250, None)
    assert plan(version=2, report_every_n=5).report_trigger == intent.BY_COUNT
    fallback = intent.by_count(what, LlrpSettings(report_within_s=0.25))
    assert (fallback.report_trigger, fallback.report_n, fallback.poll_s) == (intent.BY_COUNT, 50, 0.25)


# --- antennas that differ, filters, reads of memory ------------------------------------------------------------------

SENSITIVE = replace(CAN, attenuation_db={1: 0.0, 2: 10.0, 3: 20.0})


def test_one_setting_for_all_antennas_unless_some_differ() -> None:
    what = plan(tx_power_dbm=20, antenna_tx_power_dbm={"2": 10})
    assert what.antenna_ports == (0,)
    assert [(each.port, each.power_dbm) for each in what.antennas] == [(1, 20.0), (2, 10.0)]
    what = plan(antennas=[2], antenna_tx_power_dbm={"2": 10})
    assert [(each.port, each.power_dbm) for each in what.antennas] == [(2, 10.0)]
    with pytest.raises(DeviceRefusedError, match=r"antenna_tx_power_dbm\[1\] = 36: .* allows 10 to 30"):
        plan(antenna_tx_power_dbm={"1": 36})
    with pytest.raises(DeviceRefusedError, match=r"antennas = \[3\]: the reader has 2"):
        plan(antenna_rx_attenuation_db={"3": 0})


def test_sensitivity_is_the_nearest_step_not_above() -> None:
    assert plan(SENSITIVE).antennas[0].sensitivity_index is None
    what = plan(SENSITIVE, rx_attenuation_db=19.9, antenna_rx_attenuation_db={"2": 20})
    assert [(each.sensitivity_index, each.attenuation_db) for each in what.antennas] == [(2, 10.0), (3, 20.0)]
    with pytest.raises(DeviceRefusedError, match=r"rx_attenuation_db = 21: .* by 0 to 20"):
        plan(SENSITIVE, rx_attenuation_db=21)
    with pytest.raises(DeviceRefusedError, match=r"rx_attenuation_db = 5: .* by 0 to 0"):
        plan(CAN, rx_attenuation_db=5)


def test_no_more_filters_than_the_reader_takes() -> None:
    filters = [{"mask": "30"}, {"mask": "3"}]
    assert plan(replace(CAN, max_filters=2), filter=filters).filters == (TagFilter(mask="30"), TagFilter(mask="3"))
    with pytest.raises(DeviceRefusedError, match="filter: 2 of them, the reader takes 1"):
        plan(replace(CAN, max_filters=1), filter=filters)


def test_tids_come_by_fast_id_where_the_reader_has_it_else_by_a_read() -> None:
    fast_id = bytes.fromhex("0000651A 00000033 0001")
    assert plan(IMPINJ).reads is None
    what = plan(IMPINJ, read_tid=True)
    assert what.reads is None
    assert fast_id in what.report
    what = plan(IMPINJ, read_tid=True, tid_by="read", tid_words=4, password=0xABCD)
    assert what.reads == access.Reads(4, 0, 0xABCD)
    assert fast_id not in what.report
    assert plan(read_tid=True).reads == access.Reads(6, 0, 0)
    assert plan(IMPINJ, read_tid=True, read_user_words=2).reads == access.Reads(0, 2, 0)
    with pytest.raises(DeviceRefusedError, match="only Impinj readers have FastID"):
        plan(read_tid=True, tid_by="fast_id")


def test_no_more_operations_than_the_reader_does_at_once() -> None:
    simple = replace(CAN, max_opspecs=1)
    assert plan(simple, read_user_words=2).reads == access.Reads(0, 2, 0)
    with pytest.raises(DeviceRefusedError, match="the reader does 1 operation at a time, these are 2"):
        plan(simple, read_tid=True, read_user_words=2)


def test_tag_focus_brings_its_session() -> None:
    assert plan(IMPINJ, profile="yard").session == 2
    assert plan(IMPINJ, profile="yard", search_mode="tag_focus").session == 1
