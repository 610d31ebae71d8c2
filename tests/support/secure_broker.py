"""A real Mosquitto that asks for certificates: the common name of each is its user."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.pki import HERE, Authority
from tests.support.servers import Server, free_port, program


class SecureBroker(Server):
    """`port` is for TLS with certificates; `open_port` lets everybody in who is on this machine."""

    open_port = 0

    def ready(self) -> bool:
        """Whether it answers on both."""
        try:
            with socket.create_connection((self.host, self.open_port), timeout=1):
                return super().ready()
        except OSError:
            return False


@contextmanager
def secure_mosquitto(
    directory: Path, authority: Authority, *, certificate: str = "broker", access: str | None = None, extra: str = ""
) -> Iterator[SecureBroker]:
    """`certificate`: the one that it shows. `access`: its access list. `extra`: lines for the secured listener."""
    binary = program("mosquitto")
    folder = authority.directory
    if not (folder / f"{certificate}.pem").exists():
        authority.issue(certificate, HERE)
    directory.mkdir(parents=True, exist_ok=True)
    opened = free_port()
    lines = ["allow_anonymous false"]
    if access is not None:
        path = directory / "access"
        path.write_text(access)
        path.chmod(0o600)
        lines.append(f"acl_file {path}")

    def command(port: int) -> list[str]:
        text = [
            "per_listener_settings true",
            *(["user root"] if os.geteuid() == 0 else []),
            "set_tcp_nodelay true",
            "max_queued_messages 100000",
            "log_type error",
            "log_type warning",
            "log_type notice",
            f"listener {port} {HERE}",
            f"cafile {authority.file}",
            f"certfile {folder / certificate}.pem",
            f"keyfile {folder / certificate}.key",
            "require_certificate true",
            "use_identity_as_username true",
            *lines,
            *extra.splitlines(),
            f"listener {opened} {HERE}",
            "allow_anonymous true",
        ]
        (directory / "mosquitto.conf").write_text("\n".join([*text, ""]))
        return [binary, "-c", str(directory / "mosquitto.conf")]

    broker = SecureBroker(directory, "mosquitto", command)
    broker.open_port = opened
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
