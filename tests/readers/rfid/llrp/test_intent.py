from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from readers.errors import DeviceRefusedError
from readers.rfid.llrp import answers, control, intent
from readers.rfid.llrp.settings import LlrpSettings, Profile
from tests.readers.rfid.llrp.scripted import OK, capabilities

CAN = answers.capabilities(capabilities())
MODES = ((0, 0, 2, 640_000), (1, 1, 2, 640_000), (2, 2, 3, 274_000), (3, 3, 3, 170_600), (4, 2, 2, 640_000))
IMPINJ = answers.capabilities(capabilities(manufacturer=25882, modes=(*MODES, (1002, 2, 3, 9_000_000))))
ETSI = answers.capabilities(capabilities(hopping=False))
IMPINJ_ETSI = answers.capabilities(capabilities(manufacturer=25882, hopping=False))


def plan(can: answers.Capabilities = CAN, version: int = 1, **settings: object) -> intent.Plan:
    return intent.plan(LlrpSettings.model_validate(settings), can, version)


def held(what: intent.Plan) -> answers.Rospec:
    """The ROSpec as a reader would give it back."""
    (rospec,) = answers.rospecs(OK + control.add_rospec(intent.rospec(what)).payload)
    return rospec


@pytest.mark.parametrize(
    ("asked_dbm", "index", "dbm"),
    [(30.0, 3, 30.0), (29.99, 2, 20.0), (20.0, 2, 20.0), (10.0, 1, 10.0), (None, 3, 30.0)],
)
def test_power_is_the_nearest_step_not_above(asked_dbm: float | None, index: int, dbm: float) -> None:
    what = plan(tx_power_dbm=asked_dbm)
    assert (what.power_index, what.power_dbm) == (index, dbm)


def test_a_table_need_not_be_in_order() -> None:
    can = replace(CAN, power_dbm={9: 27.0, 2: 30.0, 5: 24.5})
    assert plan(can, tx_power_dbm=29).power_index == 9


@pytest.mark.parametrize("asked_dbm", [30.1, 9.9])
def test_power_outside_the_table_is_refused_with_what_is_allowed(asked_dbm: float) -> None:
    with pytest.raises(DeviceRefusedError, match=rf"tx_power_dbm = {asked_dbm}: .* allows 10 to 30"):
        plan(tx_power_dbm=asked_dbm)


@pytest.mark.parametrize(("powers", "dbm"), [((1000, 1500), 15.0), ((3100, 3150), 31.0)])
def test_the_power_of_a_profile_yields_to_the_region(powers: tuple[int, ...], dbm: float) -> None:
    assert plan(answers.capabilities(capabilities(powers=powers)), profile="gate").power_dbm == dbm


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


def test_an_impinj_reader_chooses_its_channel_itself_unless_it_is_told() -> None:
    def commands(what: intent.Plan) -> dict[str, object]:
        body: dict[str, object] = intent.rospec(what)["AISpec"][0]["InventoryParameterSpec"][0]["AntennaConfiguration"][
            0
        ]
        return body["C1G2InventoryCommand"][0]  # type: ignore[index,no-any-return]  # sllurp's nested tables

    assert "ImpinjFixedFrequencyList" in commands(plan(IMPINJ_ETSI))
    assert "ImpinjFixedFrequencyList" not in commands(plan(IMPINJ_ETSI, channel_index=2))
    assert "ImpinjFixedFrequencyList" not in commands(plan(IMPINJ))
    assert "ImpinjFixedFrequencyList" not in commands(plan(ETSI))


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
    assert held(what).antennas[0].mode_identifier is None


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_can_be_encoded_and_read_back(profile: Profile) -> None:
    for can in (CAN, ETSI, IMPINJ, IMPINJ_ETSI):
        for version in (1, 2):
            what = plan(can, version, profile=profile)
            assert intent.differences(what, held(what), can) == []


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


def test_no_aispec_ever_stops_by_itself() -> None:
    # Parameter 184, AISpecStopTrigger: type 0, no duration, nothing inside.
    for version in (1, 2):
        body = control.add_rospec(intent.rospec(plan(version=version))).payload
        assert bytes.fromhex("00B8 0009 00 00000000") in body
        assert body.count(bytes.fromhex("00B8")) == 1


def test_the_rospec_is_as_the_standard_draws_it() -> None:
    what = plan(antennas=[2], tx_power_dbm=20, session=3, tag_population=9, report_every_n=4, mode_identifier=1)
    expected = (
        "00B1 006E 00000001 00 00"  # ROSpec 1, priority 0, disabled
        "00B2 0012  00B3 0005 01  00B6 0009 00 00000000"  # starts at once, stops never
        "00B7 0040 0001 0002  00B8 0009 00 00000000"  # AISpec on antenna 2, stops never
        "00BA 002F 0001 01"  # Gen2
        "00DE 0028 0002"
        "00E0 000A 0005 0001 0002"  # hop table 5, channel 1, power index 2
        "014A 0018 00"
        "014F 0008 0001 0000"  # mode 1, Tari by the reader
        "0150 000B C0 0009 00000000"  # session 3, 9 tags
        "00ED 0012 01 0004"  # after 4 tags or the end of the AISpec:
        "00EE 000B 1F80"  # antenna, channel, RSSI, both times, count
        "015C 0005 40"  # PC bits
    )
    assert control.add_rospec(intent.rospec(what)).payload.hex() == bytes.fromhex(expected).hex()


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("tx_power_dbm", {"power_index": 1}),
        ("tx_power_dbm", {"power_index": None}),
        ("tx_power_dbm", {"power_index": 99}),
        ("session", {"session": 0}),
        ("tag_population", {"tag_population": 1}),
        ("mode_identifier", {"mode_identifier": 9}),
    ],
)
def test_what_the_reader_changed_is_named(setting: str, change: dict[str, Any]) -> None:
    what = plan()
    rospec = held(what)
    antennas = tuple(replace(antenna, **change) for antenna in rospec.antennas)
    changed = replace(rospec, antennas=antennas)
    (difference,) = intent.differences(what, changed, CAN)
    assert difference.setting == setting
    assert difference.setting in intent.COMPARED


def test_other_antennas_channels_and_batches_are_named() -> None:
    what = plan(ETSI, antennas=[1, 2], channel_index=2)
    rospec = held(what)
    first = replace(rospec.antennas[0], channel_index=1)
    changed = replace(rospec, antenna_ports=(1,), report_n=1, antennas=(first,))
    found = {each.setting: str(each) for each in intent.differences(what, changed, ETSI)}
    assert found == {
        "antennas": "antennas: asked [1, 2], the reader has [1]",
        "channel_index": "channel_index: asked 2, the reader has 1",
        "report_every_n": f"report_every_n: asked {intent.BY_COUNT} 50, the reader has {intent.BY_COUNT} 1",
    }
    assert found.keys() <= set(intent.COMPARED)


def test_a_rospec_that_says_nothing_differs_in_everything() -> None:
    what = plan()
    found = intent.differences(what, replace(held(what), antennas=()), CAN)
    assert {each.actual for each in found} == {"nothing stated"}
    assert len(found) == 4


def test_a_reader_may_spell_out_all_antennas() -> None:
    what = plan()
    rospec = held(what)
    each = tuple(replace(rospec.antennas[0], antenna_port=port) for port in (1, 2))
    assert intent.differences(what, replace(rospec, antenna_ports=(1, 2), antennas=each), CAN) == []
