"""Sessions with OPC UA servers, through asyncua, which owns the connection, its keys and its clocks.

What passes are `readers.opcua_messages`. The library's own reconnecting stays off: a session that is taken up again in
silence hides for how long nobody watched, and how often to try is the gateway's to decide. So one port is one session;
when it ends, however it ends, the port says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import struct
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar

from readers.credentials import credential
from readers.errors import ConfigError, LinkError, ReaderBusyError
from readers.opcua_messages import (
    STRONGEST_FIRST,
    Alive,
    Answer,
    Browse,
    Call,
    Message,
    Mode,
    Open,
    Policy,
    Read,
    Sample,
    Server,
    Watch,
    Write,
    encode,
    parse,
)
from readers.ports.base import HoldingPort
from readers.ports.mqtt_client import Login
from readers.ports.opcua_nodes import Nodes
from readers.ports.opcua_trust import fingerprint, first_of, identity_of, require_trusted
from readers.ports.opcua_values import microseconds, status_word
from readers.ports.opcua_watch import Subscription
from readers.ports.tcp import TlsSettings
from readers.tasks import end

T = TypeVar("T")

SCHEME: Final = "opc.tcp"
USUAL_PORT: Final = 4840
OPEN_WITHIN_S: Final = 10.0
ANSWER_WITHIN_S: Final = 4.0
CLOSE_WITHIN_S: Final = 2.0
ALIVE_EVERY_S: Final = 5.0
LIBRARY_LOOKS_EVERY_S: Final = 60.0  # the port looks by itself, more often
HELD_BYTES: Final = 4 << 20
SESSION_MS: Final = 60_000  # a server that lost us frees its place after that time
MOST_MESSAGE_BYTES: Final = 16 << 20
_URI: Final = "http://opcfoundation.org/UA/SecurityPolicy#"
_CLASSES: Final = {policy: f"SecurityPolicy{policy.replace('_', '')}" for policy in Policy}
_NAMESPACES: Final = 2255
_WHO: Final = (2263, 2261, 2264, 2254)  # manufacturer, product, software version, server array
_NOW: Final = (2258, 2259)  # current time, state
_BUSY: Final = frozenset({"BadTooManySessions", "BadMaxConnectionsReached", "BadTooManyOperations"})
_ADVICE: Final = {
    "BadSecurityChecksFailed": "trust our certificate in the server's list",
    "BadCertificateUntrusted": "trust our certificate in the server's list",
    "BadCertificateUriInvalid": "our certificate must name this application in its subjectAltName",
    "BadUserAccessDenied": "check [reader.login], its credential, and the server's list of users",
    "BadIdentityTokenRejected": "check [reader.login], its credential, and the server's list of users",
    "BadIdentityTokenInvalid": "the server wants a user; name one in [reader.login]",
}


class OpcUaPort(HoldingPort):
    """One session with one server. Made by `open_opcua`; the session begins with the message `Open`."""

    def __init__(self, url: str, library: Any, tls: TlsSettings | None, login: Login | None) -> None:
        super().__init__(url)
        self._library = library
        self._ua = library.ua
        self._tls = tls
        self._login = login
        self._endpoints: Sequence[Any] = ()
        self._client: Any = None
        self._nodes: Nodes | None = None
        self._subscription: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = (OSError, TimeoutError, ValueError, struct.error, library.ua.uaerrors.UaError, *_invalid())

    @classmethod
    async def open(cls, url: str, tls: TlsSettings | None = None, login: Login | None = None) -> Self:
        """Ask the server how it may be spoken with.

        Raises:
            LinkError: it cannot be reached, or is no OPC UA server. ConfigError: asyncua is not installed.
        """
        port = cls(url, _library(), tls, login)
        client = port._new_client()
        port._endpoints = await port._within(OPEN_WITHIN_S, client.connect_and_get_server_endpoints)
        return port

    async def send(self, data: bytes) -> None:
        """Carry out whole messages. The session and its subscription stand when this returns; answers are received.

        Raises:
            LinkError: the session is over, or cannot begin now. ReaderBusyError: the server has too many.
            ConfigError: a certificate, a key or a credential is missing or wrong.
        """
        buffer, at = bytearray(data), 0
        while found := parse(buffer, at):
            message, size = found
            at += size
            if self._closed:
                raise self._over()
            await self._do(message)

    async def close(self) -> None:
        """End the session, and let go of the connection."""
        if not self._closed:
            self._end("the port is closed")
        tasks, self._tasks = self._tasks, set()
        await end(*tasks)
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*self._failures):  # a server that is gone needs no goodbye
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await client.disconnect()
            client.disconnect_socket()

    async def _do(self, message: Message) -> None:
        if isinstance(message, Open):
            await self._begin(message)
            return
        nodes = self._nodes
        if nodes is None:
            raise LinkError(f"{self.description}: nothing can be asked before a session is open")
        if isinstance(message, Watch):
            subscription = self._subscription = Subscription(
                self._client, self._ua, nodes, self._hand_over, self.monotonic_s
            )
            self._hand_over(await self._within(OPEN_WITHIN_S, lambda: subscription.begin(message)))
        elif isinstance(message, Browse):
            self._hand_over(await self._within(OPEN_WITHIN_S, lambda: nodes.browse(message.most)))
        elif isinstance(message, Read):
            self._spawn(self._answer(message.request, lambda: nodes.read(message.nodes)))
        elif isinstance(message, Write):
            self._spawn(self._write(message, nodes))
        elif isinstance(message, Call):
            self._spawn(self._answer(message.request, lambda: nodes.call(message.owner, message.method)))

    async def _begin(self, wanted: Open) -> None:
        """Begin the session, and go on to look whether the server lives."""
        policy, mode = self._chosen(wanted)
        client = self._new_client()
        certificate = b""
        if policy is not Policy.NONE:
            certificate = await self._secure(client, policy, mode)
        if self._login is not None:
            client.set_user(self._login.user)
            client.set_password(credential(self._login.password_credential))
        client.connection_lost_callback = self._lost
        self._client = client
        await self._within(OPEN_WITHIN_S, client.connect)
        self._hand_over(await self._within(OPEN_WITHIN_S, lambda: self._who(policy, mode, certificate)))
        self._spawn(self._look())

    def _chosen(self, wanted: Open) -> tuple[Policy, Mode]:
        """The policy that the settings ask for, or the strongest that the server has; never a weaker one in silence."""
        if wanted.policy is None:
            if self._tls is None:
                return Policy.NONE, Mode.NONE
            offered = {str(each.SecurityPolicyUri) for each in self._endpoints if self._mode(each) is wanted.mode}
            for policy in STRONGEST_FIRST:
                if _URI + policy in offered:
                    return policy, wanted.mode
            raise LinkError(f"{self.description}: the server has no {wanted.mode} with {self._offered()}")
        if wanted.policy is Policy.NONE:
            if self._tls is not None:
                raise ConfigError(f"{self.description}: [reader.tls] is of no use with an unsecured session")
            return Policy.NONE, Mode.NONE
        if self._tls is None:
            raise ConfigError(f"{self.description}: {wanted.policy} needs certificates; name them in [reader.tls]")
        return wanted.policy, wanted.mode

    async def _secure(self, client: Any, policy: Policy, mode: Mode) -> bytes:
        assert self._tls is not None
        identity = await asyncio.to_thread(identity_of, self._tls)
        for endpoint in self._endpoints:
            if endpoint.SecurityPolicyUri == _URI + policy and self._mode(endpoint) is mode:
                break
        else:
            raise LinkError(f"{self.description}: the server has no {policy} {mode}; {self._offered()}")
        certificate = first_of(endpoint.ServerCertificate)
        uri = str(endpoint.Server.ApplicationUri)
        now = datetime.now(UTC)
        await asyncio.to_thread(require_trusted, certificate, uri, self._tls, self.description, now)
        client.application_uri = identity.uri
        properties = importlib.import_module("asyncua.crypto.uacrypto").CertProperties
        policies = importlib.import_module("asyncua.crypto.security_policies")
        await self._within(
            OPEN_WITHIN_S,
            lambda: client.set_security(
                getattr(policies, _CLASSES[policy]),
                properties(identity.certificate, "der"),
                properties(identity.key, "der"),
                server_certificate=properties(certificate, "der"),
                mode=getattr(self._ua.MessageSecurityMode, mode.value),
            ),
        )
        return certificate

    async def _who(self, policy: Policy, mode: Mode, certificate: bytes) -> Server:
        session = self._client.uaclient.session
        numbers = (_NAMESPACES, *_WHO, *_NOW)
        found = await session.read_attributes(
            [self._ua.NodeId(number, 0) for number in numbers], self._ua.AttributeIds.Value
        )
        values = [each.Value.Value if each.Value is not None else None for each in found]
        namespaces = tuple(str(each) for each in values[0] or ())
        self._nodes = Nodes(session, self._ua, namespaces)
        state, offset_us = self._life(values[-2:])
        return Server(
            manufacturer=str(values[1] or ""),
            product=str(values[2] or ""),
            version=str(values[3] or ""),
            uri=str((values[4] or [""])[0] or ""),
            policy=policy,
            mode=mode,
            namespaces=namespaces,
            state=state,
            offset_us=offset_us,
            fingerprint=fingerprint(certificate) if certificate else "",
        )

    def _life(self, values: Sequence[Any]) -> tuple[int, int | None]:
        moment = microseconds(values[0]) if isinstance(values[0], datetime) else None
        state = int(values[1]) if isinstance(values[1], int) else 0
        return state, None if moment is None else self.now_us() - moment

    async def _look(self) -> None:
        """Until the end: does the server answer, and does it publish?"""
        nodes = [self._ua.NodeId(number, 0) for number in _NOW]
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    found = await self._client.uaclient.session.read_attributes(nodes, self._ua.AttributeIds.Value)
            except self._failures as error:
                self._finish(f"the server does not answer any more: {self._said(error)}")
                return
            values = [each.Value.Value if each.Value is not None else None for each in found]
            self._hand_over(Alive(*self._life(values)))
            if self._subscription is not None and (why := self._subscription.fault()):
                self._finish(why)
                return

    async def _write(self, message: Write, nodes: Nodes) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                prepared = await nodes.prepare(message.node, message.value)
        except ValueError as error:
            self._hand_over(Answer(message.request, not_sent=str(error)))
            return
        except self._failures as error:
            self._hand_over(Answer(message.request, not_sent=f"its type cannot be read: {self._said(error)}"))
            return
        await self._answer(message.request, lambda: nodes.write(prepared))

    async def _answer(self, request: int, ask: Callable[[], Awaitable[tuple[Sample, ...]]]) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                samples = await ask()
        except self._ua.UaStatusCodeError as error:  # the server refuses the whole service
            status = self._ua.StatusCode(error.code)
            samples = (Sample(status=status_word(status), level=2),)
        except self._failures as error:
            self._hand_over(Answer(request, lost=self._said(error)))
            return
        self._hand_over(Answer(request, samples))

    async def _lost(self, error: Exception) -> None:
        self._finish(f"the session is lost: {self._said(error)}")

    def _finish(self, cause: str) -> None:
        if not self._closed:
            self._end(cause)

    def _hand_over(self, message: Message) -> bool:
        """Hold a message for the driver; whether there was room for it."""
        if self._closed or len(self._buffer) > HELD_BYTES:
            return False
        self._take(encode(message))
        return True

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _new_client(self) -> Any:
        client = self._library.Client(self.description, ANSWER_WITHIN_S, LIBRARY_LOOKS_EVERY_S, auto_reconnect=False)
        client.name = client.description = "Tagwharf"
        client.application_uri = client.product_uri = "urn:tagwharf"
        client.session_timeout = SESSION_MS
        client.max_messagesize = MOST_MESSAGE_BYTES
        return client

    async def _within(self, seconds: float, act: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await act()
        except TimeoutError as error:
            raise LinkError(f"{self.description}: no answer within {seconds:g} s; check address and network") from error
        except self._failures as error:
            word = self._word(error)
            if word in _BUSY:
                raise ReaderBusyError(
                    f"{self.description}: the server has no room for another session: {word}"
                ) from error
            advice = f"; {_ADVICE[word]}" if word in _ADVICE else ""
            raise LinkError(f"{self.description}: {self._said(error)}{advice}") from error

    def _word(self, error: BaseException) -> str:
        code = getattr(error, "code", None)
        return status_word(self._ua.StatusCode(code)) if isinstance(code, int) and code else ""

    def _said(self, error: BaseException) -> str:
        return self._word(error) or str(error) or type(error).__name__

    def _mode(self, endpoint: Any) -> Mode:
        return {2: Mode.SIGN, 3: Mode.SIGN_AND_ENCRYPT}.get(int(endpoint.SecurityMode), Mode.NONE)

    def _offered(self) -> str:
        ways = sorted({f"{str(e.SecurityPolicyUri).removeprefix(_URI)} {self._mode(e)}" for e in self._endpoints})
        return f"a policy that is safe; it offers {', '.join(ways) or 'nothing'}"


def _library() -> Any:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what matters of its tracebacks, the port says
    try:
        return importlib.import_module("asyncua")
    except ImportError as error:
        raise ConfigError(
            f"OPC UA needs asyncua, which cannot be loaded ({error}); install it with: pip install 'tagwharf[opcua]'"
        ) from error


def _invalid() -> tuple[type[Exception], ...]:
    """What the library lets through when a signature is wrong."""
    found: type[Exception] = importlib.import_module("cryptography.exceptions").InvalidSignature
    return (found,)


async def open_opcua(url: str, tls: TlsSettings | None = None, login: Login | None = None) -> OpcUaPort:
    """Find the server at `opc.tcp://HOST:PORT/PATH`; see `OpcUaPort.open`."""
    return await OpcUaPort.open(url, tls, login)
