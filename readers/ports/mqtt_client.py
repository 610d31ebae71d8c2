"""The client of paho-mqtt as the MQTT port needs it: our TLS, packets of a bounded size, and no end in silence.

It takes over a socket that is connected already, so that its thread waits for nothing but TLS and the broker.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from readers.errors import ConfigError, LinkError
from readers.ports.tls import TlsSettings, certificate_fault, tls_context
from readers.ports.tls_faults import advice, advised

MOST_PACKET_BYTES: Final = 4 << 20  # the library holds a whole packet, and brokers pass on up to 256 MiB
HANDSHAKE_WITHIN_S: Final = 5.0
_NAME_BYTES: Final = 7  # 8 letters and 14 digits: every broker takes 23 letters and digits (MQTT 3.1.1, 3.1.3.1)


@dataclass(frozen=True, slots=True)
class Login:
    """Who this gateway is to a broker.

    Attributes:
        password_credential: name of the systemd credential with the password.
    """

    user: str
    password_credential: str = "reader-password"  # noqa: S105 - the name of a credential, not the credential


class BrokerClient(paho.Client):
    """MQTT 3.1.1, a clean session, one connection and never another. Three methods of paho-mqtt 2.2 are replaced.

    `over` is the last thing that the client's thread calls, with the cause of its end.

    Attributes:
        fault: what was wrong with the last packet, or with the socket; empty when nothing was.
        is_running: the thread has begun.
    """

    def __init__(self, host: str, tls: TlsSettings | None, over: Callable[[str], None]) -> None:
        """Raises ConfigError when a certificate file cannot be read, or a name can be in no certificate."""
        name = f"tagwharf{secrets.token_hex(_NAME_BYTES)}"
        super().__init__(CallbackAPIVersion.VERSION2, client_id=name, reconnect_on_failure=False)
        self.fault = ""
        self.is_running = False
        self._over = over
        self._tls = tls
        self._context = tls_context(tls) if tls is not None else None
        self._name = host if tls is None else tls.server_name or host
        try:
            self._name.encode("idna")
        except UnicodeError as error:
            raise ConfigError(f"{self._name!r} can be no name in a certificate: {error}") from error
        self._own: socket.socket | None = None

    def begin(self, connected: socket.socket, host: str, port: int, keepalive_s: int) -> None:
        """Take over the socket and let the thread begin."""
        self._own, self.is_running = connected, True
        self.connect_async(host, port, keepalive_s)
        self.loop_start()

    def cut(self) -> None:
        """End the connection at once; may be called by any thread."""
        own = self._own
        if own is not None and own.fileno() >= 0:
            with contextlib.suppress(OSError):  # the other side has cut it
                socket.socket.shutdown(own, socket.SHUT_RDWR)  # SSLSocket's would pull TLS away from under the thread

    def release(self) -> None:
        """Close the pair of sockets that woke the thread, which has ended: the library leaves them to the collector."""
        self._reset_sockets(sockpair_only=True)

    def _thread_main(self) -> None:
        assert self._own is not None
        cause = "the connection to the broker has ended"
        try:
            super()._thread_main()
        except LinkError as error:
            cause = str(error)
        finally:
            self._own.close()
            self._over(cause)

    def _create_socket(self) -> socket.socket:
        assert self._own is not None
        self._own.settimeout(HANDSHAKE_WITHIN_S)
        if self._context is None:
            return self._own
        assert self._tls is not None
        plain = self._own
        try:
            secured = self._context.wrap_socket(plain, server_hostname=self._name, do_handshake_on_connect=False)
            self._own = secured
            secured.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise LinkError(
                f"the broker's certificate is not accepted: {error.verify_message}{advised(error)}; check ca_file and "
                "server_name in [reader.tls], and that it is the right broker"
            ) from error
        except OSError as error:
            todo = advice(error) or (
                "check that it speaks TLS on this port, and the certificate_file in [reader.tls] if it asks for one"
            )
            raise LinkError(f"TLS with the broker failed: {error}; {todo}") from error
        pin = self._tls.fingerprint_sha256
        if pin and (wrong := certificate_fault(secured.getpeercert(binary_form=True) or b"", pin)):
            raise LinkError(f"the broker's {wrong}")
        return secured

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > MOST_PACKET_BYTES:
            self.fault = (
                f"a message of {bufsize >> 20} MiB, at most {MOST_PACKET_BYTES >> 20} are read; see who sends it"
            )
            raise ConnectionError(self.fault)
        try:
            return super()._sock_recv(bufsize)
        except BlockingIOError:
            raise
        except OSError as error:
            self.fault = f"{error}{advised(error)}"
            raise
