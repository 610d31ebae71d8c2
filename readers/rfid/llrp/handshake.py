"""The first steps of a connection, for an inventory as for a station: the connection event, and the version."""

from __future__ import annotations

from typing import Final

from readers.driver import Port
from readers.errors import DeviceRefusedError, FrameError, LinkError, ReaderBusyError
from readers.rfid.llrp import answers, control
from readers.rfid.llrp.connection import Connection, NoAnswerError
from readers.rfid.llrp.framing import VERSION_1_1
from readers.rfid.llrp.settings import ProtocolVersion

CONNECTION_EVENT_WITHIN_S: Final = 5.0
_SUCCESS: Final = 0
_READER_INITIATED_EXISTS: Final = 1
_CLIENT_INITIATED_EXISTS: Final = 2
_SPARE_IT: Final = 'set protocol_version = "1.0.1"'


async def first_message(port: Port, connection: Connection) -> None:
    """Wait for the first message of the reader.

    Raises:
        LinkError: none came. FrameError: what came is no LLRP.
    """
    step = "waiting for the connection event"
    deadline_s = port.monotonic_s() + CONNECTION_EVENT_WITHIN_S
    try:
        while connection.first_type is None:
            left_s = deadline_s - port.monotonic_s()
            if left_s <= 0:
                raise LinkError(
                    f"{port.description}: {step}: nothing within {CONNECTION_EVENT_WITHIN_S:g} s; "
                    "is this an LLRP reader, and is the port right (5084, with TLS 5085)?"
                )
            await connection.pump(left_s, f"{step}; if this goes on, another client may hold this reader")
    except FrameError as error:
        detail = f"{step}: {error.detail}; is this an LLRP reader, and is TLS on or off at both ends?"
        raise FrameError(error.reason, detail, error.frame) from error


def accepted(port: Port, first_type: int | None, event: answers.Event | None) -> None:
    """See that the reader took this client.

    Raises:
        ReaderBusyError: another client holds it. LinkError: it did not, or this is no reader.
    """
    step = "waiting for the connection event"
    if first_type != control.READER_EVENT_NOTIFICATION or event is None or event.connection_attempt is None:
        raise LinkError(
            f"{port.description}: {step}: the first message, of type {first_type}, is no "
            "READER_EVENT_NOTIFICATION (63) with a ConnectionAttemptEvent; check the address"
        )
    if event.connection_attempt in (_READER_INITIATED_EXISTS, _CLIENT_INITIATED_EXISTS):
        whose = "that the reader opened itself" if event.connection_attempt == _READER_INITIATED_EXISTS else "open"
        raise ReaderBusyError(
            f"{port.description}: another client holds this reader (a connection {whose}); stop that client, "
            "or wait until the reader gives up its dead session"
        )
    if event.connection_attempt != _SUCCESS:
        raise LinkError(
            f"{port.description}: {step}: the reader refuses with status {event.connection_attempt}; "
            "restart the reader if this goes on"
        )


async def negotiate(port: Port, connection: Connection, wanted: ProtocolVersion) -> None:
    """Agree on LLRP 1.1 where both sides speak it.

    Raises:
        DeviceRefusedError: 1.1 is insisted on, and the reader does not speak it.
        LinkError: as `Connection.request`.
    """
    insists = wanted is ProtocolVersion.V1_1
    if wanted is ProtocolVersion.V1_0_1:
        return
    try:
        current, highest, status = answers.supported_version(await connection.request(control.get_supported_version()))
    except NoAnswerError:  # a reader that ignores what it does not know
        if insists:
            raise
        return
    except LinkError as error:
        raise LinkError(f"{error}; if this goes on, the reader cannot stand the question: {_SPARE_IT}") from error
    except DeviceRefusedError as error:  # M_UnsupportedVersion or M_UnsupportedMessage: it speaks 1.0.1
        if insists:
            raise DeviceRefusedError(
                f"{error}; it speaks LLRP 1.0.1 only: set protocol_version to 1.0.1 or auto"
            ) from error
        return
    if not status.ok or highest < VERSION_1_1:
        if insists:
            raise DeviceRefusedError(
                f"{port.description}: the reader speaks LLRP versions up to {highest}, 1.1 is 2; "
                "set protocol_version to 1.0.1 or auto"
            )
        return
    if current != VERSION_1_1:
        try:
            await connection.demand(control.set_protocol_version(VERSION_1_1))
        except DeviceRefusedError:
            if insists:
                raise
            return  # it knows of 1.1, and does not speak it
    connection.version = VERSION_1_1
