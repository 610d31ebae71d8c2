"""Requests to the reader: sllurp's tables encode the messages that they know, a small table here those they lack.

Source of what sllurp lacks: LLRP 1.0.1 section 16.1, LLRP 1.1 section 17.1 (message and parameter numbers).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sllurp import llrp_proto

from readers.rfid.llrp.framing import CUSTOM, VERSION_1_1, encode_tlv
from readers.rfid.llrp.vendors import IMPINJ

GET_REPORT: Final = 60
KEEPALIVE: Final = 62
READER_EVENT_NOTIFICATION: Final = 63
ENABLE_EVENTS_AND_REPORTS: Final = 64
KEEPALIVE_ACK: Final = 72
ERROR_MESSAGE: Final = 100

_EVENTS_AND_REPORTS: Final = 226
CUSTOM_HEAD: Final = struct.Struct(">IB")  # vendor and subtype, before the payload of a custom message
_ENABLE_EXTENSIONS: Final = 21
_ENABLE_EXTENSIONS_RESPONSE: Final = 22
_HOLD_FLAG: Final = 0x80
_KEEPALIVE_PERIODIC: Final = 1
_ALL: Final = 0
_MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the reader and the one that answers it.

    Attributes:
        step: for messages to people: what is being done.
        within_s: how long the answer may take.
        header_version: the version in the header where it is not the one agreed upon.
    """

    step: str
    type: int
    response: int
    payload: bytes = b""
    within_s: float = 5.0
    header_version: int | None = None

    def answered_by(self, message_type: int, payload: bytes) -> bool:
        """Whether a message with our id is the answer: the type must be right as well, and the subtype of a custom."""
        if message_type != self.response:
            return False
        return message_type != CUSTOM or payload[: CUSTOM_HEAD.size] == CUSTOM_HEAD.pack(
            IMPINJ, _ENABLE_EXTENSIONS_RESPONSE
        )


def get_supported_version() -> Request:
    """GET_SUPPORTED_VERSION; its header carries version 2, whatever is in force."""
    return Request("version negotiation", 46, 56, header_version=VERSION_1_1)


def set_protocol_version(version: int) -> Request:
    """SET_PROTOCOL_VERSION."""
    return Request("version negotiation", 47, 57, bytes((version,)), header_version=VERSION_1_1)


def get_capabilities() -> Request:
    """GET_READER_CAPABILITIES, all of them."""
    body = _encode("GET_READER_CAPABILITIES", {"RequestedData": _ALL})
    return Request("reading the capabilities", 1, 11, body, within_s=10.0)


def get_configuration(impinj_data: int | None = None) -> Request:
    """GET_READER_CONFIG, all of the standard's and so much of Impinj's."""
    fields: dict[str, Any] = {"RequestedData": _ALL}
    if impinj_data is not None:
        fields["ImpinjRequestedData"] = {"RequestedData": impinj_data}
    return Request("reading the configuration", 2, 12, _encode("GET_READER_CONFIG", fields), within_s=10.0)


def enable_impinj_extensions() -> Request:
    """IMPINJ_ENABLE_EXTENSIONS: without it an Impinj reader refuses custom parameters."""
    body = CUSTOM_HEAD.pack(IMPINJ, _ENABLE_EXTENSIONS) + _encode("IMPINJ_ENABLE_EXTENSIONS", {})
    return Request("enabling the Impinj extensions", CUSTOM, CUSTOM, body)


def set_configuration(
    keepalive_s: float, *, warn_buffer: bool, hold: bool, io: bytes = b"", custom: bytes = b""
) -> Request:
    """SET_READER_CONFIG: events, keepalives, outputs and inputs, hold upon reconnect, and a maker's own parameters."""
    events = {
        "HoppingEvent": False,
        "GPIEvent": True,
        "ROSpecEvent": True,
        "ReportBufferFillWarning": warn_buffer,
        "ReaderExceptionEvent": True,
        "RFSurveyEvent": False,
        "AISpecEvent": False,
        "AISpecEventWithSingulation": False,
        "AntennaEvent": True,
    }
    body = _encode(
        "SET_READER_CONFIG",
        {
            "ReaderEventNotificationSpec": {"EventNotificationState": events},
            "KeepaliveSpec": {
                "KeepaliveTriggerType": _KEEPALIVE_PERIODIC,
                "TimeInterval": round(keepalive_s * _MS_PER_S),
            },
        },
    )
    body += io
    if hold:
        body += encode_tlv(_EVENTS_AND_REPORTS, bytes((_HOLD_FLAG,)))
    return Request("setting the configuration", 3, 13, body + custom)


def set_outputs(io: bytes) -> Request:
    """SET_READER_CONFIG of outputs alone, as `gpio.outputs` makes them: for a command while the inventory runs."""
    return Request("setting outputs", 3, 13, _encode("SET_READER_CONFIG", {}) + io)


def add_accessspec(accessspec: Mapping[str, Any]) -> Request:
    """ADD_ACCESSSPEC; it is added disabled."""
    return Request("adding the AccessSpec", 40, 50, _encode("ADD_ACCESSSPEC", {"AccessSpec": accessspec}))


def enable_accessspec(accessspec_id: int) -> Request:
    """ENABLE_ACCESSSPEC."""
    body = _encode("ENABLE_ACCESSSPEC", {"AccessSpecID": accessspec_id})
    return Request("enabling the AccessSpec", 42, 52, body)


def get_accessspecs() -> Request:
    """GET_ACCESSSPECS."""
    return Request("verifying the AccessSpec", 44, 54)


def delete_accessspec(accessspec_id: int) -> Request:
    """DELETE_ACCESSSPEC of one."""
    body = _encode("DELETE_ACCESSSPEC", {"AccessSpecID": accessspec_id})
    return Request("deleting the AccessSpec", 41, 51, body)


def delete_accessspecs() -> Request:
    """DELETE_ACCESSSPEC of all."""
    return replace(delete_accessspec(_ALL), step="deleting the AccessSpecs of earlier clients")


def delete_rospec(rospec_id: int) -> Request:
    """DELETE_ROSPEC of one."""
    return Request("deleting the ROSpec", 21, 31, _encode("DELETE_ROSPEC", {"ROSpecID": rospec_id}), within_s=10.0)


def delete_rospecs() -> Request:
    """DELETE_ROSPEC of all."""
    return replace(delete_rospec(_ALL), step="deleting the ROSpecs of earlier clients")


def add_rospec(rospec: bytes) -> Request:
    """ADD_ROSPEC of an encoded ROSpec parameter."""
    return Request("adding the ROSpec", 20, 30, rospec, within_s=10.0)


def enable_rospec(rospec_id: int) -> Request:
    """ENABLE_ROSPEC."""
    return Request("enabling the ROSpec", 24, 34, _encode("ENABLE_ROSPEC", {"ROSpecID": rospec_id}), within_s=10.0)


def start_rospec(rospec_id: int) -> Request:
    """START_ROSPEC."""
    return Request("starting the ROSpec", 22, 32, _encode("START_ROSPEC", {"ROSpecID": rospec_id}), within_s=10.0)


def stop_rospec(rospec_id: int) -> Request:
    """STOP_ROSPEC."""
    return Request("stopping the ROSpec", 23, 33, _encode("STOP_ROSPEC", {"ROSpecID": rospec_id}), within_s=10.0)


def get_rospecs() -> Request:
    """GET_ROSPECS."""
    return Request("verifying the ROSpec", 26, 36)


def close_connection() -> Request:
    """CLOSE_CONNECTION."""
    return Request("closing the connection", 14, 4, within_s=1.0)


def _encode(name: str, fields: Mapping[str, Any]) -> bytes:
    table = llrp_proto.Message_struct[name]
    body: bytes = table["encode"](fields, table)
    return body
