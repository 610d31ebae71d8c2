from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sllurp import llrp_proto

from readers.errors import FrameError
from readers.rfid.llrp import answers, control, intent, rospecs
from readers.rfid.llrp.settings import LlrpSettings, Profile, TagFilter, Trigger
from tests.readers.rfid.llrp.scripted import OK, tlv
from tests.readers.rfid.llrp.test_intent import CAN, ETSI, IMPINJ, IMPINJ_ETSI, plan

RICH = replace(
    CAN,
    attenuation_db={1: 0.0, 2: 10.0},
    max_filters=8,
    gpi_count=4,
    gpo_count=4,
    antenna_count=4,
    can_report_phase=True,
)


def held(what: intent.Plan) -> rospecs.Rospec:
    """The ROSpec as a reader would give it back."""
    (rospec,) = rospecs.held(OK + rospecs.encode(what))
    return rospec


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_can_be_encoded_and_read_back(profile: Profile) -> None:
    for can in (CAN, ETSI, IMPINJ, IMPINJ_ETSI):
        for version in (1, 2):
            what = plan(can, version, profile=profile)
            assert rospecs.differences(what, held(what), can) == []


# --- against sllurp's tables ------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> tuple[answers.Capabilities, intent.Plan]:
    """Any plan that sllurp can write down as well."""
    can = draw(
        st.sampled_from([RICH, replace(RICH, manufacturer=25882, modes=CAN.modes), replace(ETSI, antenna_count=4)])
    )
    impinj, hopping = can.manufacturer == 25882, can.hopping
    settings: dict[str, Any] = {
        "profile": draw(st.sampled_from(list(Profile))),
        "antennas": draw(st.none() | st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)),
        "tx_power_dbm": draw(st.none() | st.sampled_from([10, 20, 30])),
        "session": draw(st.none() | st.integers(0, 3)),
        "tag_population": draw(st.none() | st.integers(1, 65535)),
        "report_every_n": draw(st.none() | st.integers(1, 65535)),
        "channel_index": None if hopping else draw(st.none() | st.integers(1, 3)),
    }
    if impinj:
        settings |= {
            "search_mode": draw(st.sampled_from(["reader_selected", "single_target", "dual_target"])),
            "read_tid": draw(st.booleans()),
            "doppler": draw(st.booleans()),
        }
    if can.attenuation_db:
        settings["rx_attenuation_db"] = draw(st.none() | st.sampled_from([0, 10]))
    return can, intent.plan(LlrpSettings.model_validate(settings), can, draw(st.sampled_from([1, 2])))


def in_sllurps_terms(what: intent.Plan, can: answers.Capabilities) -> dict[str, Any]:
    """The plan as sllurp's encoder wants it; maker's parameters by sllurp's own decoder of them."""
    command: dict[str, Any] = {
        "TagInventoryStateAware": False,
        "C1G2SingulationControl": {
            "Session": what.session,
            "TagPopulation": what.tag_population,
            "TagTransitTime": 0,
        },
    }
    if what.mode_identifier is not None:
        command["C1G2RFControl"] = {"ModeIndex": what.mode_identifier, "Tari": 0}
    antennas = []
    for antenna in what.antennas:
        transmitter = {
            "HopTableId": what.hop_table_id,
            "ChannelIndex": what.channel_index,
            "TransmitPower": antenna.power_index,
        }
        one: dict[str, Any] = {"AntennaID": antenna.port, "RFTransmitter": transmitter}
        if antenna.sensitivity_index is not None:
            one["RFReceiver"] = {"ReceiverSensitivity": antenna.sensitivity_index}
        own, _ = llrp_proto.decode_all_parameters(what.inventory, n_fields=[])
        antennas.append({**one, "C1G2InventoryCommand": [{**command, **own}]})
    content = dict.fromkeys(
        (
            "EnableAntennaID",
            "EnableChannelIndex",
            "EnablePeakRSSI",
            "EnableFirstSeenTimestamp",
            "EnableLastSeenTimestamp",
            "EnableTagSeenCount",
        ),
        True,
    )
    triggers = {intent.BY_COUNT: "Upon_N_Tags_Or_End_Of_AISpec", intent.BY_TIME: "Upon_N_Milliseconds"}
    report: dict[str, Any] = {
        "ROReportTrigger": triggers[what.report_trigger],
        "N": what.report_n,
        "TagReportContentSelector": {**content, "C1G2EPCMemorySelector": {"EnablePCBits": True}},
    }
    if can.manufacturer == 25882:
        own, _ = llrp_proto.decode_all_parameters(what.report, n_fields=[])
        report |= own
    inventory = {"InventoryParameterSpecID": 1, "ProtocolID": 1, "AntennaConfiguration": antennas}
    never = {"AISpecStopTriggerType": "Null", "DurationTriggerValue": 0}
    return {
        "ROSpecID": 1,
        "Priority": 0,
        "CurrentState": "Disabled",
        "ROBoundarySpec": {
            "ROSpecStartTrigger": {"ROSpecStartTriggerType": "Immediate"},
            "ROSpecStopTrigger": {"ROSpecStopTriggerType": "Null", "DurationTriggerValue": 0},
        },
        "AISpec": [
            {"AntennaID": what.antenna_ports, "AISpecStopTrigger": never, "InventoryParameterSpec": [inventory]}
        ],
        "ROReportSpec": report,
    }


@given(plans())
def test_a_rospec_is_written_as_sllurp_writes_it(drawn: tuple[answers.Capabilities, intent.Plan]) -> None:
    can, what = drawn
    what = replace(what, report=what.report if can.manufacturer == 25882 else b"")
    ours = rospecs.encode(what)
    assert ours.hex() == llrp_proto.encode_param("ROSpec", in_sllurps_terms(what, can)).hex()


@given(plans())
def test_a_rospec_is_read_as_sllurp_reads_it(drawn: tuple[answers.Capabilities, intent.Plan]) -> None:
    can, what = drawn
    rospec = held(what)
    fields, _ = llrp_proto.Param_struct["ROSpec"]["decode"](rospecs.encode(what)[4:], "ROSpec")
    assert (rospec.id, rospec.state) == (fields["ROSpecID"], fields["CurrentState"])
    (aispec,) = fields["AISpec"]
    assert rospec.antenna_ports == tuple(aispec["AntennaID"])
    theirs = aispec["InventoryParameterSpec"][0]["AntennaConfiguration"]
    assert len(rospec.antennas) == len(theirs)
    for mine, other in zip(rospec.antennas, theirs, strict=True):
        transmitter, command = other["RFTransmitter"], other["C1G2InventoryCommand"][0]
        assert (mine.antenna_port, mine.power_index) == (other["AntennaID"], transmitter["TransmitPower"])
        assert (mine.hop_table_id, mine.channel_index) == (transmitter["HopTableId"], transmitter["ChannelIndex"])
        assert mine.sensitivity_index == other.get("RFReceiver", {}).get("ReceiverSensitivity")
        assert mine.session == command["C1G2SingulationControl"]["Session"]
        assert mine.tag_population == command["C1G2SingulationControl"]["TagPopulation"]
        assert mine.mode_identifier == command["C1G2RFControl"]["ModeIndex"]
    assert rospecs.differences(what, rospec, can) == []


# --- as the standard draws it -----------------------------------------------------------------------------------------


def test_no_aispec_ever_stops_by_itself() -> None:
    # Parameter 184, AISpecStopTrigger: type 0, no duration, nothing inside.
    for version in (1, 2):
        body = control.add_rospec(rospecs.encode(plan(version=version))).payload
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
    assert control.add_rospec(rospecs.encode(what)).payload.hex() == bytes.fromhex(expected).hex()


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
    (difference,) = rospecs.differences(what, changed, CAN)
    assert difference.setting == setting
    assert difference.setting in rospecs.COMPARED


def test_other_antennas_channels_and_batches_are_named() -> None:
    what = plan(ETSI, antennas=[1, 2], channel_index=2)
    rospec = held(what)
    first = replace(rospec.antennas[0], channel_index=1)
    changed = replace(rospec, antenna_ports=(1,), report_n=1, antennas=(first,))
    found = {each.setting: str(each) for each in rospecs.differences(what, changed, ETSI)}
    assert found == {
        "antennas": "antennas: asked [1, 2], the reader has [1]",
        "channel_index": "channel_index: asked 2, the reader has 1",
        "report_every_n": "report_every_n: asked after 50 tags, the reader has after 1 tags",
    }
    assert found.keys() <= set(rospecs.COMPARED)


def test_a_rospec_that_says_nothing_differs_in_everything() -> None:
    what = plan()
    found = rospecs.differences(what, replace(held(what), antennas=()), CAN)
    assert {each.actual for each in found} == {"nothing stated"}
    assert len(found) == 4


def test_a_reader_may_spell_out_all_antennas() -> None:
    what = plan()
    rospec = held(what)
    each = tuple(replace(rospec.antennas[0], antenna_port=port) for port in (1, 2))
    assert rospecs.differences(what, replace(rospec, antenna_ports=(1, 2), antennas=each), CAN) == []


def test_filters_are_as_the_standard_draws_them() -> None:
    first, second = rospecs.filters((TagFilter(mask="307"), TagFilter(bank="tid", bit=0, mask="E280")))
    assert (
        first.hex()
        == bytes.fromhex(
            "014B 0015 00"  # C1G2Filter, no truncation
            "014C 000B 40 0020 000C 3070"  # bank 1 from bit 32 on, 12 bits
            "014E 0005 00"  # select what fits, unselect the rest
        ).hex()
    )
    assert second.hex() == bytes.fromhex("014B 0015 00 014C 000B 80 0000 0010 E280 014E 0005 01").hex()


def test_triggers_are_as_the_standard_draws_them() -> None:
    left = rospecs.boundary(Trigger(gpi=2, timeout_s=1.5))
    assert (
        left.hex()
        == bytes.fromhex(
            "00B3 0010 03 00B5 000B 0002 80 00000000"  # starts when input 2 goes high
            "00B6 0014 02 00000000 00B5 000B 0002 00 000005DC"  # stops when it goes low, at the latest after 1500 ms
        ).hex()
    )
    timed = rospecs.boundary(Trigger(gpi=1, state="low", until="timeout", timeout_s=5))
    assert timed.hex() == bytes.fromhex("00B3 0010 03 00B5 000B 0001 00 00000000 00B6 0009 01 00001388").hex()
    assert rospecs.for_a_while(2).hex() == bytes.fromhex("00B3 0005 00 00B6 0009 01 000007D0").hex()


def test_antennas_that_differ_are_written_and_compared_one_by_one() -> None:
    what = plan(RICH, antenna_tx_power_dbm={"2": 10}, rx_attenuation_db=10)
    rospec = held(what)
    assert [(each.antenna_port, each.power_index, each.sensitivity_index) for each in rospec.antennas] == [
        (1, 3, 2),
        (2, 1, 2),
        (3, 3, 2),
        (4, 3, 2),
    ]
    assert rospecs.differences(what, rospec, RICH) == []
    deaf = tuple(replace(each, sensitivity_index=1, power_index=3) for each in rospec.antennas)
    found = {each.setting: str(each) for each in rospecs.differences(what, replace(rospec, antennas=deaf), RICH)}
    assert found == {
        "tx_power_dbm": "tx_power_dbm: asked 10.0, the reader has 30.0",
        "rx_attenuation_db": "rx_attenuation_db: asked 10.0, the reader has 0.0",
    }


def test_filters_triggers_and_makers_parameters_are_compared() -> None:
    impinj = replace(RICH, manufacturer=25882, hopping=False, fixed_channels_khz=(1, 2, 3))
    what = plan(
        impinj,
        filter=[{"mask": "30"}],
        trigger={"gpi": 1},
        channels=[1, 2],
        low_duty_cycle={"empty_field_s": 1, "ping_s": 0.5},
        search_mode="single_target",
    )
    rospec = held(what)
    assert rospecs.differences(what, rospec, impinj) == []
    other = held(plan(impinj, channels=[1, 3], low_duty_cycle={}))
    found = {each.setting for each in rospecs.differences(what, other, impinj)}
    assert found == {"filter", "trigger", "channels", "low_duty_cycle", "search_mode"}
    assert found <= set(rospecs.COMPARED)
    silent = replace(rospec, antennas=tuple(replace(each, custom=(), filters=()) for each in rospec.antennas))
    (only,) = rospecs.differences(what, silent, impinj)
    assert str(only).endswith("the reader has nothing stated")


def test_the_phase_is_asked_of_a_zebra_reader_that_has_it() -> None:
    assert plan(RICH).report == bytes.fromhex("03FF 0010 000000A1 000002C4 10000000")
    assert plan(CAN).report == b""


def test_a_damaged_rospec_is_a_frame_error() -> None:
    with pytest.raises(FrameError, match="cannot be read"):
        rospecs.held(OK + tlv(177, b"\x00\x00"))


@given(st.binary(max_size=200))
def test_noise_is_a_frame_error_or_nothing(noise: bytes) -> None:
    with contextlib.suppress(FrameError):
        rospecs.held(noise)
    with contextlib.suppress(FrameError):
        rospecs.held(tlv(177, struct.pack(">IBB", 1, 0, 2) + noise))


@given(plans(), st.data())
def test_garbled_rospecs_are_frame_errors_or_nothing(
    drawn: tuple[answers.Capabilities, intent.Plan], data: st.DataObject
) -> None:
    body = bytearray(OK + rospecs.encode(drawn[1]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FrameError):
        rospecs.held(bytes(body[: data.draw(st.integers(0, len(body)))]))


def test_a_trigger_that_nobody_knows_is_shown() -> None:
    what = plan()
    (found,) = rospecs.differences(what, replace(held(what), report_trigger=9, report_n=4), CAN)
    assert found.actual == "trigger 9 with N = 4"
    (found,) = rospecs.differences(what, replace(held(what), report_trigger=None), CAN)
    assert found.actual == "nothing stated"


def test_what_a_reader_adds_to_a_rospec_is_skipped() -> None:
    strange = tlv(900, b"?")
    command = tlv(330, b"\x00" + strange)
    antenna = tlv(222, b"\x00\x02" + strange + command)
    inventory = tlv(186, b"\x00\x01\x01" + strange + antenna)
    aispec = tlv(183, b"\x00\x01\x00\x02" + tlv(184, bytes(5)) + inventory)
    (found,) = rospecs.held(OK + tlv(177, struct.pack(">IBB", 5, 0, 1) + strange + aispec))
    assert (found.id, found.state, found.antenna_ports) == (5, 1, (2,))
    assert found.antennas == (rospecs.AntennaSetting(2),)
