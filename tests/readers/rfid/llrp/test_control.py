"""Requests against bytes written down from the standard: LLRP 1.0.1, section 16.1."""

from __future__ import annotations

import pytest

from readers.rfid.llrp import control, gpio
from readers.rfid.llrp.control import Request

SET_CONFIGURATION = (
    "00 00F4 0043"
    "00F5 0007 0000 00  00F5 0007 0001 80  00F5 0007 0002 80  00F5 0007 0003 00  00F5 0007 0004 80"
    "00F5 0007 0005 00  00F5 0007 0006 00  00F5 0007 0007 00  00F5 0007 0008 80"
    "00DC 0009 01 000009C4   00E2 0005 80   AA"
)


@pytest.mark.parametrize(
    ("request_", "kind", "response", "body"),
    [
        (control.get_supported_version(), 46, 56, ""),
        (control.set_protocol_version(2), 47, 57, "02"),
        (control.get_capabilities(), 1, 11, "00"),
        (control.get_configuration(), 2, 12, "00 0000 0000 0000"),
        (control.get_configuration(2005), 2, 12, "00 0000 0000 0000 03FF 0010 0000651A 00000015 000007D5"),
        (control.enable_impinj_extensions(), 1023, 1023, "0000651A 15 00000000"),
        (control.delete_accessspecs(), 41, 51, "00000000"),
        (control.delete_rospecs(), 21, 31, "00000000"),
        (control.enable_rospec(1), 24, 34, "00000001"),
        (control.get_rospecs(), 26, 36, ""),
        (control.close_connection(), 14, 4, ""),
        (control.start_rospec(3), 22, 32, "00000003"),
        (control.stop_rospec(3), 23, 33, "00000003"),
        (control.delete_rospec(3), 21, 31, "00000003"),
        (control.get_accessspecs(), 44, 54, ""),
        (control.enable_accessspec(5), 42, 52, "00000005"),
        (control.delete_accessspec(5), 41, 51, "00000005"),
        (control.set_outputs(gpio.outputs({1: False, 3: True})), 3, 13, "00 00DB 0007 0001 00 00DB 0007 0003 80"),
        (
            control.set_configuration(2.5, warn_buffer=False, hold=True, custom=b"\xaa"),
            3,
            13,
            SET_CONFIGURATION,
        ),
    ],
    ids=lambda value: value.step if isinstance(value, Request) else None,
)
def test_requests_are_as_the_standard_draws_them(request_: Request, kind: int, response: int, body: str) -> None:
    assert (request_.type, request_.response) == (kind, response)
    assert request_.payload.hex() == bytes.fromhex(body).hex()


def test_the_version_question_has_version_2_in_its_header() -> None:
    assert control.get_supported_version().header_version == 2
    assert control.set_protocol_version(2).header_version == 2
    assert control.get_capabilities().header_version is None


def test_hold_is_asked_only_of_readers_that_can() -> None:
    body = control.set_configuration(5, warn_buffer=True, hold=False, custom=b"").payload
    assert bytes.fromhex("00E2 0005") not in body
    assert bytes.fromhex("00F5 0007 0003 80") in body


def test_an_answer_must_have_the_type_and_a_custom_one_the_subtype() -> None:
    assert control.get_rospecs().answered_by(36, b"")
    assert not control.get_rospecs().answered_by(62, b"")
    extensions = control.enable_impinj_extensions()
    assert extensions.answered_by(1023, bytes.fromhex("0000651A 16 011F"))
    assert not extensions.answered_by(1023, bytes.fromhex("0000651A 17 011F"))
    assert not extensions.answered_by(1023, b"")
