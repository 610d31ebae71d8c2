"""What a reader does with each message of its client, and what it answers.

Source: LLRP 1.0.1 sections 9, 10, 12, 13.1 and 14.1; LLRP 1.1 section 9.1 (version negotiation).
"""

from __future__ import annotations

from typing import Final, Protocol

from simulator.llrp.capabilities import capabilities
from simulator.llrp.codec import VERSION_1_1, Node, RefusedError, Status, node, success
from simulator.llrp.configuration import Configuration
from simulator.llrp.identities import Identity
from simulator.llrp.inventory import ALL, Inventory
from simulator.llrp.link import Link
from simulator.llrp.outgoing import Outgoing
from simulator.llrp.shapes import MESSAGES

_NEVER_ANSWERED: Final = frozenset({"ERROR_MESSAGE", "KEEPALIVE_ACK"})


class Device(Protocol):
    """The parts of a reader that a message can reach."""

    identity: Identity
    configuration: Configuration
    inventory: Inventory
    outgoing: Outgoing


def carry_out(device: Device, link: Link, message: Node) -> Node | None:
    """Do what `message` asks; returns the answer, if there is one.

    Raises:
        RefusedError: nothing of it was done.
    """
    inventory, identity = device.inventory, device.identity
    speaks_1_1 = VERSION_1_1 in identity.versions
    match message.name:
        case "KEEPALIVE_ACK":
            link.unanswered = 0
            return None
        case "ERROR_MESSAGE":
            return None
        case "ENABLE_EVENTS_AND_REPORTS":
            link.released = True
            inventory.poll()
            return None
        case "GET_REPORT":
            _poll(device, link)
            return None
        case "GET_READER_CAPABILITIES":
            _need_extensions(link, message)
            return _response(message, *capabilities(identity, message))
        case "GET_READER_CONFIG":
            _need_extensions(link, message)
            return _response(message, *device.configuration.answer(message))
        case "SET_READER_CONFIG":
            _configure(device, link, message)
        case "ADD_ROSPEC":
            inventory.add(message.need("ROSpec"), extensions=link.extensions)
        case "DELETE_ROSPEC":
            inventory.delete(message.number("ROSpecID"))
        case "ENABLE_ROSPEC":
            inventory.enable(message.number("ROSpecID"))
        case "DISABLE_ROSPEC":
            inventory.disable(message.number("ROSpecID"))
        case "START_ROSPEC":
            inventory.start(message.number("ROSpecID"))
        case "STOP_ROSPEC":
            inventory.stop(message.number("ROSpecID"))
        case "GET_ROSPECS":
            return _response(message, *(spec.snapshot() for spec in inventory.specs.values()))
        case "GET_ACCESSSPECS":
            return _response(message, *inventory.access.snapshots())
        case "ADD_ACCESSSPEC":
            inventory.access.add(message.need("AccessSpec"), extensions=link.extensions)
        case "DELETE_ACCESSSPEC":
            inventory.access.delete(message.number("AccessSpecID"))
        case "ENABLE_ACCESSSPEC" | "DISABLE_ACCESSSPEC":
            inventory.access.switch(message.number("AccessSpecID"), on=message.name == "ENABLE_ACCESSSPEC")
        case "CLOSE_CONNECTION":
            link.closing = True
        case "GET_SUPPORTED_VERSION" if speaks_1_1:
            versions = {"CurrentVersion": link.version, "SupportedVersion": max(identity.versions)}
            return node("GET_SUPPORTED_VERSION_RESPONSE", success(), **versions)
        case "SET_PROTOCOL_VERSION" if speaks_1_1:
            _set_version(identity, link, message)
        case "IMPINJ_ENABLE_EXTENSIONS" if identity.is_impinj:
            link.extensions = True
        case name:
            raise RefusedError(Status.M_UNSUPPORTED_MESSAGE, f"{name} is not supported")
    return _response(message)


def refusal(name: str | None, refused: RefusedError) -> Node | None:
    """The answer to a request that is not carried out: its own response, or ERROR_MESSAGE where it has none."""
    if name in _NEVER_ANSWERED:
        return None
    response = f"{name}_RESPONSE"
    unknown = name is None or refused.code is Status.M_UNSUPPORTED_MESSAGE or response not in MESSAGES
    return node("ERROR_MESSAGE" if unknown else response, refused.status(name or "ERROR_MESSAGE"))


def _response(request: Node, *parameters: Node) -> Node:
    return node(f"{request.name}_RESPONSE", success(), *parameters)


def _poll(device: Device, link: Link) -> None:
    device.inventory.poll()
    if len(device.outgoing) == 0:
        device.outgoing.put_report(b"", 0)  # the poll is answered, even by an empty report
    link.polled = len(device.outgoing)


def _configure(device: Device, link: Link, message: Node) -> None:
    device.configuration.apply(message, extensions=link.extensions)
    if message.number("ResetToFactoryDefault"):
        device.inventory.delete(ALL)
        device.inventory.access.delete(ALL)
    if message.one("KeepaliveSpec") or message.number("ResetToFactoryDefault"):
        link.set_keepalive(device.configuration.keepalive_ms)


def _set_version(identity: Identity, link: Link, message: Node) -> None:
    wanted = message.number("ProtocolVersion")
    if wanted not in identity.versions:
        raise RefusedError(Status.M_UNSUPPORTED_VERSION, f"version {wanted}: {identity.versions} are supported")
    link.version = wanted


def _need_extensions(link: Link, message: Node) -> None:
    for child in message.children:
        if child.name == "Custom" or not link.extensions:
            text = f"{child.name}: unknown, or IMPINJ_ENABLE_EXTENSIONS was not sent to an Impinj reader"
            raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, (child.name,))
