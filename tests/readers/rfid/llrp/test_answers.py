from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.rfid.llrp import answers
from tests.readers.rfid.llrp.scripted import (
    EPOCH_US,
    OK,
    antenna_event,
    attempt,
    capabilities,
    configuration,
    event,
    rospec_event,
    status,
    tlv,
)

RECORDED = json.loads((Path(__file__).parents[3] / "vectors" / "rfid" / "llrp_recorded.json").read_text())


def test_the_capabilities_of_an_impinj_r420() -> None:
    can = answers.capabilities(bytes.fromhex(RECORDED["capabilities"]))
    assert (can.manufacturer, can.model, can.firmware) == (25882, 2001002, "5.14.0.240")
    assert (can.antenna_count, can.has_utc_clock, can.can_hold, can.can_warn_buffer) == (4, True, True, True)
    assert (can.power_dbm[1], can.power_dbm[2], can.power_dbm[81], len(can.power_dbm)) == (10.0, 10.25, 30.0, 81)
    assert (can.hopping, can.hop_table_ids, can.fixed_channels_khz) == (True, (1,), ())
    assert [mode.identifier for mode in can.modes] == [0, 1, 2, 3, 4, 1000, 1002, 1003, 1004, 1005]
    assert (can.gpi_count, can.gpo_count, can.max_filters, can.max_opspecs) == (4, 4, 2, 8)
    assert (can.can_block_write, can.can_report_phase) == (True, False)
    assert (can.attenuation_db[1], can.attenuation_db[2], can.attenuation_db[42]) == (0.0, 10.0, 50.0)
    assert can.modes[2] == answers.RfMode(identifier=2, miller=4, spectral_mask=3, rate_bps=274_000)


def test_the_configuration_of_an_impinj_r420() -> None:
    now = answers.configuration(bytes.fromhex(RECORDED["configuration"]))
    assert now.reader_id == "001625FFFF1125D6"
    assert now.connected == {1: True, 2: False, 3: False, 4: False}
    assert now.link_monitor_keepalives is None
    assert now.gpi_enabled == {1: False, 2: False, 3: False, 4: False}
    assert now.gpi_high == dict.fromkeys((1, 2, 3, 4), False)
    assert now.gpo_high == {1: False, 2: False, 3: False, 4: False}


def test_an_input_of_unknown_level_is_not_known() -> None:
    more = bytes.fromhex("00E1 0008 0001 80 01  00E1 0008 0002 80 02  00E1 0008 0003 00 00  00DB 0007 0002 80")
    now = answers.configuration(configuration(more=more))
    assert now.gpi_enabled == {1: True, 2: True, 3: False}
    assert now.gpi_high == {1: True, 3: False}
    assert now.gpo_high == {2: True}


def test_a_zebra_reader_may_report_phase() -> None:
    more = bytes.fromhex("03FF 0011 000000A1 0000006E 00000001 B2")
    assert answers.capabilities(capabilities(manufacturer=161) + more).can_report_phase
    assert not answers.capabilities(capabilities(manufacturer=161)).can_report_phase


def test_the_goodbye_of_an_impinj_r420() -> None:
    seen = answers.event(bytes.fromhex(RECORDED["event"]))
    assert (seen.closes, seen.utc_us, seen.uptime_us) == (True, 1_596_721_689_842_138, None)


def test_power_may_be_below_0_dbm() -> None:
    assert answers.capabilities(capabilities(powers=(-500, 0))).power_dbm == {1: -5.0, 2: 0.0}


def test_a_fixed_region_has_channels() -> None:
    can = answers.capabilities(capabilities(hopping=False))
    assert (can.hopping, can.fixed_channels_khz) == (False, (902_750, 903_250, 903_750))


def test_the_link_monitor_is_read_back() -> None:
    monitor = bytes.fromhex("03FF 0010 0000651A 00000026 0001 0003")
    assert answers.configuration(configuration(more=monitor)).link_monitor_keepalives == 3
    off = bytes.fromhex("03FF 0010 0000651A 00000026 0000 0003")
    assert answers.configuration(configuration(more=off)).link_monitor_keepalives is None


def test_success() -> None:
    assert answers.status(OK).ok
    assert answers.custom_status(bytes.fromhex("0000651A 16") + OK).ok


def test_a_refusal_says_which_parameter_and_field() -> None:
    field = tlv(288, struct.pack(">HH", 2, 301))
    inner = tlv(289, struct.pack(">HH", 224, 201) + field)
    refused = answers.status(status(100, "bad\x07 power", tlv(289, struct.pack(">HH", 177, 200) + inner)))
    assert not refused.ok
    assert refused.text == (
        "ParameterError (100); bad· power; ROSpec: P_ParameterError; RFTransmitter: P_FieldError; field 2: A_OutOfRange"
    )


def test_what_a_refusal_says_besides_is_skipped() -> None:
    assert answers.status(status(100, "", tlv(900, b"?"))).text == "ParameterError (100)"


def test_a_code_that_nobody_knows_is_shown() -> None:
    assert answers.status(status(999, "?")).text == "an unknown code (999); ?"


def test_an_answer_without_status_is_damaged() -> None:
    with pytest.raises(FrameError, match="without LLRPStatus"):
        answers.status(b"")


def test_versions() -> None:
    current, highest, state = answers.supported_version(b"\x01\x02" + OK)
    assert (current, highest, state.ok) == (1, 2, True)
    with pytest.raises(FrameError):
        answers.supported_version(b"\x01")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (event(attempt(2)), {"connection_attempt": 2}),
        (event(antenna_event(3, connected=False)), {"antenna": (3, False)}),
        (event(antenna_event(3, connected=True)), {"antenna": (3, True)}),
        (event(tlv(250, b"\x50")), {"buffer_fill_percent": 80}),
        (event(tlv(251, b"")), {"buffer_overflow": True}),
        (event(tlv(252, struct.pack(">H", 7) + b"radio\x00!")), {"exception": "radio·!"}),
        (event(rospec_event(1, 5)), {"rospec": ("End_of_ROSpec", 5)}),
        (event(tlv(248, struct.pack(">HB", 2, 0x80))), {"gpi": (2, True)}),
        (event(tlv(257, b"")), {"closes": True}),
        (event(tlv(900, b"?")), {"unknown": 1}),
    ],
)
def test_events(body: bytes, expected: dict[str, Any]) -> None:
    assert answers.event(body) == answers.Event(utc_us=EPOCH_US, **expected)


def test_an_event_may_carry_uptime() -> None:
    assert answers.event(event(attempt(0), uptime_us=5)) == answers.Event(uptime_us=5, connection_attempt=0)


def test_an_attempt_with_a_status_that_nobody_knows_is_damaged() -> None:
    assert answers.event(event(attempt(77))).connection_attempt is None


def test_text_of_a_device_is_cleaned_and_short() -> None:
    assert answers.shown(b" a\x1b[31m\xff" + b"x" * 500) == "a·[31m�" + "x" * 192


def test_an_answer_of_senseless_size_is_refused() -> None:
    with pytest.raises(FrameError, match="at most"):
        answers.event(bytes(1 << 20))


READERS: list[Callable[[bytes], object]] = [
    answers.capabilities,
    answers.configuration,
    answers.event,
    answers.status,
    answers.custom_status,
    answers.supported_version,
]
WHOLE = [capabilities(), configuration(), event(attempt(0)), OK, status(100, "x", tlv(289, bytes(4)))]


@pytest.mark.parametrize("read", READERS)
@given(noise=st.binary(max_size=200))
def test_noise_is_a_frame_error_or_nothing(read: Callable[[bytes], object], noise: bytes) -> None:
    with contextlib.suppress(FrameError):
        read(noise)


@pytest.mark.parametrize("read", READERS)
@given(data=st.data())
def test_garbled_answers_are_frame_errors_or_nothing(read: Callable[[bytes], object], data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(0, len(body)))
    with contextlib.suppress(FrameError):
        read(bytes(body[:size]))


def test_parameters_nested_without_end_are_a_frame_error() -> None:
    body = b""
    for _ in range(8_000):
        body = tlv(289, bytes(4) + body)
    with pytest.raises(FrameError):
        answers.capabilities(OK + tlv(287, bytes(4) + body))


def test_a_reader_cannot_write_into_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    endless = bytes.fromhex("0015 0000") * 3  # parameters of length 0, over which sllurp's decoder complains
    with contextlib.suppress(FrameError):
        answers.configuration(bytes.fromhex("011F 0008 0000 0000") + endless)
    with contextlib.suppress(FrameError):
        answers.event(tlv(246, tlv(128, bytes(8)) + endless))
    assert caplog.records == []
