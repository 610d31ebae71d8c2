"""Reads a meter with gurux-dlms over TCP and prints what it found, as JSON. Runs in a venv of its own.

client.py PORT wrapper|hdlc none|low|gmac
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import sys
from typing import Any

from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData  # type: ignore[import-not-found]  # only in the peer's own venv
from gurux_dlms.enums import Authentication, InterfaceType, ObjectType, Security  # type: ignore[import-not-found]  # only in the peer's own venv
from gurux_dlms.objects import (  # type: ignore[import-not-found]  # only in the peer's own venv
    GXDLMSClock,
    GXDLMSData,
    GXDLMSDemandRegister,
    GXDLMSDisconnectControl,
    GXDLMSExtendedRegister,
    GXDLMSProfileGeneric,
    GXDLMSRegister,
)
from gurux_dlms.secure import GXDLMSSecureClient  # type: ignore[import-not-found]  # only in the peer's own venv


def flat(messages: Any) -> list[Any]:
    """The requests; `readList` puts lists into its list."""
    if not isinstance(messages, list):
        return [messages]
    return [message for each in messages for message in flat(each)]


class Wire:
    def __init__(self, client: Any, port: int) -> None:
        self.client = client
        self.link = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.held = GXByteBuffer()

    def ask(self, messages: Any, reply: Any = None) -> Any:
        """Send requests and take all there is to each answer."""
        reply = GXReplyData() if reply is None else reply
        for message in flat(messages):
            reply.clear()
            self.exchange(message, reply)
            while reply.isMoreData():
                self.exchange(self.client.receiverReady(reply), reply)
        return reply

    def exchange(self, message: Any, reply: Any) -> None:
        if message:
            self.link.sendall(bytes(message))
        while True:
            data = self.link.recv(4096)
            assert data, "the meter closed the connection"
            self.held.set(data)
            notify = GXReplyData()
            if self.client.getData(self.held, reply, notify):
                self.held.clear()
                if reply.error:
                    raise RuntimeError(f"error {reply.error}")
                return


def plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if hasattr(value, "value") and isinstance(value.value, dt.datetime):
        return value.value.isoformat()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bool, int, str, type(None))):
        return value
    return str(value)


def connect(port: int, framing: str, authentication: str) -> tuple[Any, Wire]:
    client = GXDLMSSecureClient(useLogicalNameReferencing=True)
    client.interfaceType = InterfaceType.WRAPPER if framing == "wrapper" else InterfaceType.HDLC
    client.clientAddress = {"none": 16, "low": 2, "gmac": 1}[authentication]
    client.serverAddress = 1 if framing == "wrapper" else GXDLMSClient.getServerAddress(1, 17)
    if authentication == "low":
        client.authentication = Authentication.LOW
        client.password = b"12345678"
    if authentication == "gmac":
        client.authentication = Authentication.HIGH_GMAC
        client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
        client.ciphering.systemTitle = bytes.fromhex("4D4D4D0000BC614E")
        client.ciphering.blockCipherKey = bytes(range(16))
        client.ciphering.authenticationKey = bytes(range(0xD0, 0xE0))
        client.ciphering.invocationCounter = 1000
    wire = Wire(client, port)
    if framing == "hdlc":
        client.parseUAResponse(wire.ask(client.snrmRequest()).data)
    client.parseAareResponse(wire.ask(client.aarqRequest()).data)
    if authentication == "gmac":
        answer = wire.ask(client.getApplicationAssociationRequest())
        client.parseApplicationAssociationResponse(answer.data)
    return client, wire


def read(client: Any, wire: Wire, thing: Any, *attributes: int) -> Any:
    for attribute in attributes:
        reply = wire.ask(client.read(thing, attribute))
        client.updateValue(thing, attribute, reply.value)
    return thing


def main() -> None:
    port, framing, authentication = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    client, wire = connect(port, framing, authentication)
    found: dict[str, Any] = {}
    reply = wire.ask(client.getObjectsRequest())
    objects = client.parseObjects(reply.data, onlyKnownObjects=True)
    found["objects"] = sorted(f"{int(each.objectType)} {each.logicalName}" for each in objects)
    for each in objects.getObjects(ObjectType.REGISTER):
        thing = read(client, wire, GXDLMSRegister(each.logicalName), 3, 2)
        found[each.logicalName] = [plain(thing.value), plain(thing.scaler), int(thing.unit)]
    thing = read(client, wire, GXDLMSExtendedRegister("1.0.1.6.0.255"), 3, 2, 5)
    found["1.0.1.6.0.255"] = [plain(thing.value), plain(thing.captureTime)]
    thing = read(client, wire, GXDLMSDemandRegister("1.0.1.4.0.255"), 4, 3, 6)
    found["1.0.1.4.0.255"] = [plain(thing.lastAverageValue), plain(thing.captureTime)]
    found["name"] = plain(read(client, wire, GXDLMSData("0.0.42.0.0.255"), 2).value)
    found["clock"] = plain(read(client, wire, GXDLMSClock("0.0.1.0.0.255"), 2).time)
    relay = read(client, wire, GXDLMSDisconnectControl("0.0.96.3.10.255"), 2, 3, 4)
    found["relay"] = [relay.outputState, int(relay.controlState), int(relay.controlMode)]
    profile = read(client, wire, GXDLMSProfileGeneric("1.0.99.1.0.255"), 3, 4)
    now = read(client, wire, GXDLMSClock("0.0.1.0.0.255"), 2).time.value
    since = now - dt.timedelta(hours=2)
    reply = wire.ask(client.readRowsByRange(profile, since, now))
    client.updateValue(profile, 2, reply.value)
    found["rows"] = [plain(row) for row in profile.buffer]
    listed = [(GXDLMSRegister("1.0.1.8.0.255"), 2), (GXDLMSRegister("1.0.14.7.0.255"), 2)]
    reply = wire.ask(client.readList(listed))
    client.updateValues(listed, reply.value)
    found["list"] = [plain(thing.value) for thing, _ in listed]
    if authentication != "none":
        wire.ask(relay.remoteDisconnect(client))
        found["after"] = int(read(client, wire, relay, 3).controlState)
    sys.stdout.write(json.dumps(found) + "\n")


main()
