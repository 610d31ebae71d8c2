"""The port against asyncua's own server, in this process. One of another maker: tests/system/test_opcua_peer.py."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from readers.codecs.opcua import Decoder
from readers.errors import ConfigError, LinkError, ReaderBusyError
from readers.opcua_messages import (
    Alive,
    Answer,
    Browse,
    Call,
    Data,
    Found,
    Item,
    Message,
    Mode,
    Open,
    Policy,
    Read,
    Server,
    Watch,
    Watched,
    Write,
    encode,
)
from readers.ports import opcua
from readers.ports.mqtt_client import Login
from readers.ports.opcua import OpcUaPort, open_opcua
from readers.ports.tcp import TlsSettings
from simulator.machines.opcua import NAMESPACE, URI, Controller, Secured
from simulator.world.warping import WarpingMachine
from tests.support.opcua_certificates import application

T = TypeVar("T", bound=Message)
PLAIN = Open(Policy.NONE, Mode.NONE)
BEST = Open(None, Mode.SIGN_AND_ENCRYPT)
SAFE = ("Basic256Sha256_SignAndEncrypt", "Basic256Sha256_Sign")


def node(what: str) -> str:
    return f"nsu={NAMESPACE};s=w1.{what}"


class Ear:
    """Takes messages of one kind after the other."""

    def __init__(self, port: OpcUaPort) -> None:
        self._port = port
        self._decoder = Decoder()
        self.heard: list[Message] = []

    async def next(self, kind: type[T]) -> T:
        async with asyncio.timeout(20):
            while True:
                for number, message in enumerate(self.heard):
                    if isinstance(message, kind):
                        del self.heard[number]
                        return message
                self.heard += self._decoder.feed(await self._port.receive(1.0))


async def said(port: OpcUaPort, message: Message) -> None:
    await port.send(encode(message))


def machine() -> WarpingMachine:
    return WarpingMachine(1, time.time_ns() // 1000, first_s=0.3)


def scene(
    act: Callable[[OpcUaPort, Ear, Controller], Coroutine[Any, Any, None]],
    secured: Secured | None = None,
    tls: TlsSettings | None = None,
    login: Login | None = None,
) -> None:
    async def play() -> None:
        async with Controller({"w1": machine()}, secured) as twin:
            port = await open_opcua(twin.url, tls, login)
            try:
                await act(port, Ear(port), twin)
            finally:
                await port.close()
                await port.close()  # harmless

    asyncio.run(play())


def test_a_session_says_who_the_server_is_and_what_has_changed() -> None:
    async def act(port: OpcUaPort, ear: Ear, twin: Controller) -> None:
        assert port.description == twin.url
        await said(port, PLAIN)
        server = await ear.next(Server)
        assert (server.manufacturer, server.product, server.uri) == ("Tagwharf twins", "Warping controller", URI)
        assert server.namespaces[2] == NAMESPACE
        assert (server.policy, server.mode, server.state, server.fingerprint) == (Policy.NONE, Mode.NONE, 0, "")
        assert server.offset_us is not None
        assert abs(server.offset_us) < 1_000_000
        items = (
            Item(0, node("State"), 50, 10),
            Item(1, node("TotalLength"), 50, 10, "0.5"),
            Item(2, node("Nothing"), 50, 10),
            Item(3, "nsu=urn:absent;s=x", 50, 10),
            Item(4, node("StopReason"), 50, 10, "5"),
        )
        await said(port, Watch(100, items))
        watched = await ear.next(Watched)
        assert watched.refused[2] == "BadNodeIdUnknown"
        assert "has no namespace urn:absent" in watched.refused[3]
        states: list[object] = []
        lengths: list[int] = []
        while "6" not in states or len(lengths) < 3:
            for change in (await ear.next(Data)).changes:
                assert change.sample.level == 0
                if change.handle == 0:
                    states.append(change.sample.value)
                    assert change.sample.source_us is not None
                    assert change.sample.server_us is not None
                elif change.handle == 1:
                    lengths.append(int(str(change.sample.value)))
        assert states in (["4", "6"], ["6"])
        assert all(after > before for before, after in pairwise(lengths))

    scene(act)


def test_reading_writing_and_calling_once() -> None:
    async def act(port: OpcUaPort, ear: Ear, twin: Controller) -> None:
        await said(port, PLAIN)
        await said(port, Read(1, (node("State"), "ns=99;s=x", node("Nothing"), "nsu=urn:absent;s=x")))
        (answer,) = [await ear.next(Answer)]
        assert answer.samples[0].is_number
        assert [sample.level for sample in answer.samples] == [0, 2, 2, 2]
        await said(port, Write(2, node("SpeedSet"), "300"))
        assert (await ear.next(Answer)).samples[0].status == "Good"
        await said(port, Write(3, node("Speed"), "300"))
        assert (await ear.next(Answer)).samples[0].level == 2  # the server lets nobody write it
        await said(port, Write(4, node("SpeedSet"), "fast"))
        assert "is no number" in (await ear.next(Answer)).not_sent
        await said(port, Write(5, node("Nothing"), "1"))
        assert "holds no single value" in (await ear.next(Answer)).not_sent
        await said(port, Call(6, f"nsu={NAMESPACE};s=w1", node("Stop")))
        assert (await ear.next(Answer)).samples[0].status == "Good"
        await said(port, Call(7, f"nsu={NAMESPACE};s=w1", node("Start")))
        assert (await ear.next(Answer)).samples[0].status == "BadInvalidState"
        await said(port, Call(8, f"nsu={NAMESPACE};s=w1", node("Dance")))
        assert (await ear.next(Answer)).samples[0].level == 2
        await said(port, Call(9, "nsu=urn:absent;s=w1", node("Stop")))
        assert (await ear.next(Answer)).samples[0].status == "BadNodeIdUnknown"
        assert twin.machines["w1"].state == "stopped"
        await said(port, Browse(5))
        found = await ear.next(Found)
        assert len(found.nodes) == 5
        assert ("ns=2;s=w1.State", "w1/State") in found.nodes

    scene(act)


def test_a_server_that_is_gone_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcua, "ALIVE_EVERY_S", 0.1)

    async def act(port: OpcUaPort, ear: Ear, twin: Controller) -> None:
        await said(port, PLAIN)
        await said(port, Watch(100, (Item(0, node("State"), 50, 1),)))
        assert (await ear.next(Alive)).state == 0
        began_s = time.monotonic()
        await twin.stop()
        with pytest.raises(LinkError, match=r"session is lost|does not answer|ended the subscription"):
            await ear.next(Found)
        assert time.monotonic() - began_s < 10
        with pytest.raises(LinkError):
            await said(port, Read(1, (node("State"),)))
        with pytest.raises(LinkError, match=r"opc\.tcp://127"):
            await open_opcua(twin.url)

    scene(act)


def test_nothing_can_be_asked_before_a_session_is_open() -> None:
    async def act(port: OpcUaPort, _ear: Ear, _twin: Controller) -> None:
        with pytest.raises(LinkError, match="before a session is open"):
            await said(port, Read(1, (node("State"),)))

    scene(act)


def test_a_port_that_is_no_opcua_server() -> None:
    async def play() -> None:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail ready, and more than a header\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkError):
            await open_opcua(f"opc.tcp://127.0.0.1:{number}")
        server.close()
        with pytest.raises(LinkError, match=r"opc\.tcp://127"):
            await open_opcua(f"opc.tcp://127.0.0.1:{number}")

    asyncio.run(play())


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(ConfigError, match=r"pip install 'tagwharf\[opcua\]'"):
        asyncio.run(open_opcua("opc.tcp://127.0.0.1:4840"))


def test_a_server_with_too_many_sessions_is_busy() -> None:
    async def act(port: OpcUaPort, _ear: Ear, _twin: Controller) -> None:
        async def full() -> None:
            raise port._ua.UaStatusCodeError(port._ua.StatusCodes.BadTooManySessions)

        with pytest.raises(ReaderBusyError, match="BadTooManySessions"):
            await port._within(1.0, full)

    scene(act)


@pytest.mark.parametrize("policy", [None, Policy.BASIC256_SHA256])
@pytest.mark.parametrize("mode", [Mode.SIGN, Mode.SIGN_AND_ENCRYPT])
def test_a_secured_session_with_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy | None, mode: Mode
) -> None:
    theirs, ours = application(tmp_path, "server", URI), application(tmp_path, "ours", "urn:mill:tagwharf")
    secured = Secured(theirs.certificate_file, theirs.key_file, SAFE, {"anna": "spindle"})
    (tmp_path / "plc-password").write_text("spindle\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    tls = TlsSettings(ca_file=theirs.certificate_file, certificate_file=ours.certificate_file, key_file=ours.key_file)

    async def act(port: OpcUaPort, ear: Ear, _twin: Controller) -> None:
        await said(port, Open(policy, mode))
        server = await ear.next(Server)
        assert (server.policy, server.mode) == (Policy.BASIC256_SHA256, mode)
        assert server.fingerprint == theirs.fingerprint
        await said(port, Read(1, (node("State"),)))
        assert (await ear.next(Answer)).samples[0].level == 0

    scene(act, secured, tls, Login("anna", "plc-password"))


def test_what_a_secured_server_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = application(tmp_path, "server", URI), application(tmp_path, "ours", "urn:mill:tagwharf")
    secured = Secured(theirs.certificate_file, theirs.key_file, SAFE[:1], {"anna": "spindle"})
    (tmp_path / "plc-password").write_text("wrong\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    unknown = TlsSettings(certificate_file=ours.certificate_file, key_file=ours.key_file)
    pinned = replace(unknown, fingerprint_sha256=theirs.fingerprint)
    stranger = replace(unknown, ca_file=ours.certificate_file)

    async def attempt(twin: Controller, tls: TlsSettings | None, login: Login | None, wanted: Open) -> None:
        port = await open_opcua(twin.url, tls, login)
        try:
            await said(port, wanted)
        finally:
            await port.close()

    async def play() -> None:
        async with Controller({"w1": machine()}, secured) as twin:
            for tls, login, wanted, error, why in (
                (pinned, Login("anna", "plc-password"), BEST, LinkError, "list of users"),
                (pinned, None, BEST, LinkError, "opc.tcp"),
                (stranger, None, BEST, LinkError, theirs.fingerprint),
                (None, None, PLAIN, LinkError, "No matching endpoints|offers|opc.tcp"),
                (
                    pinned,
                    None,
                    Open(Policy.AES256_SHA256_RSA_PSS, Mode.SIGN),
                    LinkError,
                    "it offers Basic256Sha256 Sig",
                ),
                (pinned, None, PLAIN, ConfigError, "of no use with an unsecured"),
                (None, None, Open(Policy.BASIC256_SHA256, Mode.SIGN), ConfigError, "needs certificates"),
                (unknown, None, BEST, ConfigError, theirs.fingerprint),
                (TlsSettings(fingerprint_sha256=theirs.fingerprint), None, BEST, ConfigError, "our own certificate"),
            ):
                with pytest.raises(error, match=why):
                    await attempt(twin, tls, login, wanted)

    asyncio.run(play())


def test_a_server_without_any_safe_policy_is_not_spoken_with_in_secret() -> None:
    async def act(port: OpcUaPort, _ear: Ear, _twin: Controller) -> None:
        with pytest.raises(LinkError, match="it offers None None"):
            await said(port, BEST)

    scene(act, tls=TlsSettings(fingerprint_sha256="00" * 32))


def test_what_nobody_takes_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from readers.opcua_messages import Missed

    async def act(port: OpcUaPort, ear: Ear, twin: Controller) -> None:
        await said(port, PLAIN)
        await ear.next(Server)
        monkeypatch.setattr(opcua, "HELD_BYTES", 0)
        await said(port, Watch(50, (Item(0, node("TotalLength"), 20, 1),)))
        twin.machines["w1"].start(time.time_ns() // 1000, is_remote=False)
        await asyncio.sleep(1.0)
        monkeypatch.setattr(opcua, "HELD_BYTES", 1 << 20)
        missed = await ear.next(Missed)
        assert missed.reason == "overflow"
        assert missed.count >= 1

    scene(act)


class Failing:
    """Nodes of a session that breaks at some point."""

    def __init__(self, port: OpcUaPort, where: str, error: Exception) -> None:
        self._port, self._where, self._error = port, where, error

    async def prepare(self, *_: object) -> object:
        if self._where == "prepare":
            raise self._error
        return object()

    async def write(self, *_: object) -> tuple[object, ...]:
        raise self._error

    async def read(self, *_: object) -> tuple[object, ...]:
        raise self._error


@pytest.mark.parametrize("where", ["prepare", "write", "read"])
def test_what_breaks_on_the_way_says_whether_it_had_left(where: str) -> None:
    async def act(port: OpcUaPort, ear: Ear, _twin: Controller) -> None:
        await said(port, PLAIN)
        await ear.next(Server)
        refused = port._ua.UaStatusCodeError(port._ua.StatusCodes.BadServerHalted)
        errors: list[Exception] = [ConnectionError("gone"), TimeoutError(), refused]
        for number, error in enumerate(errors):
            port._nodes = Failing(port, where, error)  # type: ignore[assignment]  # it breaks as the real one does
            await said(port, Read(number, ("i=1",)) if where == "read" else Write(number, "i=1", "1"))
            answer = await ear.next(Answer)
            if where == "prepare":
                assert "its type cannot be read" in answer.not_sent
            elif error is refused:
                assert answer.samples[0].status == "BadServerHalted"
            else:
                assert answer.lost

    scene(act)


def test_a_subscription_that_is_over_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcua, "ALIVE_EVERY_S", 0.1)

    async def act(port: OpcUaPort, ear: Ear, _twin: Controller) -> None:
        await said(port, PLAIN)
        await said(port, Watch(100, ()))
        await ear.next(Watched)
        assert port._subscription is not None
        monkeypatch.setattr(port._subscription, "fault", lambda: "the server has ended the subscription")
        with pytest.raises(LinkError, match="has ended the subscription"):
            await ear.next(Found)

    scene(act)


def test_a_server_that_thinks_too_long_is_left() -> None:
    async def act(port: OpcUaPort, _ear: Ear, _twin: Controller) -> None:
        with pytest.raises(LinkError, match=r"no answer within 0.05 s"):
            await port._within(0.05, lambda: asyncio.sleep(5))

    scene(act)
