from __future__ import annotations

import inspect
import queue
import socket
import ssl
from random import Random

import paho.mqtt.client as paho
import pytest

from readers.errors import ConfigError
from readers.ports.mqtt_client import BrokerClient, Login
from readers.ports.tcp import TlsSettings

ACCEPTED = b"\x20\x02\x00\x00"


def ends(said: bytes, tls: TlsSettings | None = None) -> list[str]:
    """The causes of its end that the client tells when a broker says so and hangs up."""
    causes: queue.Queue[str] = queue.Queue()
    ours, theirs = socket.socketpair()
    client = BrokerClient("broker.test", tls, causes.put)
    with theirs:
        client.begin(ours, "broker.test", 1, 15)
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        found = [causes.get(timeout=10)]
    client.cut()  # harmless
    while not causes.empty():
        found.append(causes.get())
    return found


def test_what_we_replace_inside_paho_is_there() -> None:
    parameters = {
        name: list(inspect.signature(getattr(paho.Client, name)).parameters)
        for name in vars(BrokerClient)
        if name in ("_thread_main", "_create_socket", "_sock_recv")
    }
    assert parameters == {
        "_thread_main": ["self"],
        "_create_socket": ["self"],
        "_sock_recv": ["self", "bufsize"],
    }


def test_every_client_has_a_name_of_its_own_that_any_broker_takes() -> None:
    names = {BrokerClient("h", None, print)._client_id for _ in range(20)}
    assert len(names) == 20
    assert all(name.isalnum() and len(name) <= 23 for name in names)


@pytest.mark.parametrize("seed", range(40))
def test_the_end_is_told_once_whatever_a_broker_says(seed: int) -> None:
    rng = Random(seed)
    said = (ACCEPTED if seed % 2 else b"") + rng.randbytes(rng.randrange(200))
    assert ends(said) == ["the connection to the broker has ended"]


def test_a_tls_that_fails_is_told_as_the_end() -> None:
    assert "TLS with the broker failed" in ends(b"\x00" * 100, TlsSettings())[0]


def test_a_client_that_has_not_begun_can_be_cut() -> None:
    client = BrokerClient("h", TlsSettings(), print)
    client.cut()
    assert not client.is_running
    assert client._context is not None
    assert client._context.verify_mode is ssl.CERT_REQUIRED


def test_a_name_that_can_be_in_no_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match="can be no name in a certificate"):
        BrokerClient("h", TlsSettings(server_name="a..b"), print)


def test_the_password_is_a_credential_of_its_own() -> None:
    assert Login("gate") == Login("gate", "reader-password")
