"""`tagwharf init` for a whole machine, in a root directory: real Mosquitto, real InfluxDB, the daemons, and a read."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiomqtt
import pytest

from gateway.config.load import load_site
from gateway.init import mosquitto, store
from gateway.init.first_run import Options, Outcome, run
from gateway.init.questions import Asker
from gateway.init.steps import Root, StepError
from readers.ports.tcp import TcpPort, open_tcp
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.pty import PtyPort
from simulator.rfid import m100
from simulator.server import DeviceServer
from tests.gateway.cli.command import tagwharf
from tests.gateway.init.machine import DEBIAN, add_adapter, machine
from tests.support.field import EchoRadio
from tests.support.plant import Process
from tests.support.servers import UNPACKED, Influx, Server, free_port, influxd, program
from tests.support.watch import wait_until

LLRP: Final = 5084
EPC: Final = bytes.fromhex("30340000000000000000000A")
WITHIN_S: Final = 90.0
ADMIN, ADMIN_PASSWORD = "root", "of the administrator"
LOADED: Final = {"tagwharf.mqtt-password": "mqtt-password", "tagwharf.influx-main": "influx-main"}
"""As LoadCredential= of the units names them."""
NO_BROKER: Final = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None
NO_STORE: Final = shutil.which("influxd") is None and not (UNPACKED / "influxd").exists()

pytestmark = pytest.mark.skipif(
    (NO_BROKER or NO_STORE or os.geteuid() != 0) and "CI" not in os.environ, reason="needs mosquitto, influxd and root"
)


def loopback_network() -> tuple[str, str]:
    """A network of two addresses that no other test listens at, and one of them."""
    start = f"127.{random.randrange(16, 250)}.{random.randrange(250)}"
    return f"{start}.4/30", f"{start}.6"


class LoneReader:
    """A reader in a thread of its own, and a client of somebody else that may hold its session."""

    def __init__(self, host: str) -> None:
        self.device = SimulatedReader(IDENTITIES["impinj"], EchoRadio([EPC]))
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._client: TcpPort | None = None
        self._server = DeviceServer(self.device.serve, host=host, port=LLRP)

    def do(self, work: Callable[[], Any]) -> Any:
        """Carry out a coroutine function in its thread."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    async def hold(self) -> None:
        """Somebody else takes the session."""
        self._client = await open_tcp(self._host, LLRP)
        assert await self._client.receive(10)

    async def release(self) -> None:
        """He hangs up."""
        assert self._client is not None
        await self._client.close()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Listen."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self.do(self._server.start)
            yield
        finally:
            self.do(self._server.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()


@pytest.fixture(name="influx")
def store_with_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Influx]:
    """InfluxDB 1.6.7 that lets nobody in without a password, with the settings of the drop-in."""
    for name, (value, _) in store.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    with influxd(tmp_path / "influx") as running:
        statement = f"CREATE USER {ADMIN} WITH PASSWORD '{ADMIN_PASSWORD}' WITH ALL PRIVILEGES"
        running.post("/query", q=statement)
        yield running


def rows(influx: Influx, statement: str, database: str = "tagwharf") -> list[list[Any]]:
    """The rows of all series, asked as administrator."""
    answer = json.loads(influx.get("/query", db=database, q=statement, u=ADMIN, p=ADMIN_PASSWORD))
    assert all("error" not in result for result in answer["results"]), answer
    return [row for result in answer["results"] for series in result.get("series", []) for row in series["values"]]


def broker_of(etc: Path, directory: Path, port: int) -> Server:
    """A Mosquitto with the configuration that was written, with its paths below the root directory."""
    shutil.copytree(etc / "mosquitto", directory / "etc")
    for path in directory.rglob("*.conf"):
        path.write_text(path.read_text().replace("/etc/mosquitto", str(directory / "etc")))
    config = directory / "etc/mosquitto.conf"
    config.write_text(f"user root\nlog_type all\n{config.read_text()}")
    server = Server(directory, "mosquitto", lambda _: [program("mosquitto"), "-c", str(config)])
    server.port = port
    return server


def test_from_a_bare_machine_to_a_read_in_the_store(tmp_path: Path, influx: Influx) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN.replace("persistence true", "persistence false"))
    add_adapter(root, "usb-FTDI_FT232R-if00", "../../ttyUSB0", "FTDI", "FT232R USB UART")
    root.at("/usr/bin").mkdir(parents=True)
    root.at("/usr/bin/influxd").write_text("")
    admin = tmp_path / "admin"
    admin.write_text(ADMIN_PASSWORD)
    admin.chmod(0o600)
    network, host = loopback_network()
    port = free_port()
    answers = tmp_path / "answers.toml"
    answers.write_text(f"""
[site]
name = "hamburg"
kind = "gate"
[broker]
port = {port}
[store]
kind = "influxdb"
url = "{influx.url}"
keep_days = 30
admin_user = "{ADMIN}"
admin_password_file = "{admin}"
[search]
networks = ["{network}"]
mdns = false
greet_readers = true
""")
    reader = LoneReader(host)
    with reader.serving():
        reader.do(reader.hold)
        made = tagwharf("init", "--root", root.directory, "--answers", answers, "--yes")
        assert (made.returncode, made.stderr) == (0, "")
        assert reader.device.connected
        assert reader.device.connections == {"accepted": 1, "refused": 1}
        assert f"another client has the reader at {host}: stop that client first" in made.stdout
        reader.do(reader.release)
        site_file = root.at("/etc/tagwharf/site.toml")
        checked = tagwharf("check", site_file)
        assert "readers: 1 llrp" in checked.stdout
        assert checked.returncode == 0
        secrets = tmp_path / "credentials"
        secrets.mkdir()
        for name, loaded in LOADED.items():
            secret = root.get_secret(name)
            assert secret is not None
            assert secret not in made.stdout
            (secrets / loaded).write_text(secret)
        assert_store(influx)
        # Other tests may run daemons of their own beside these.
        site_file.write_text(f"{site_file.read_text()}\n[health]\nedge_port = 0\nrules_port = 0\n")
        broker = broker_of(root.at("/etc"), tmp_path / "broker", port)
        broker.start()
        try:
            assert_only_our_user_comes_in(broker, secrets)
            environment = {"CREDENTIALS_DIRECTORY": str(secrets), "STATE_DIRECTORY": str(tmp_path / "state")}
            with_config = ["--config", str(site_file)]
            rules = Process("rules", ["rules", "run", *with_config], tmp_path, environment)
            edge = Process("edge", ["gateway.edge", *with_config], tmp_path, environment)
            rules.start()
            edge.start()
            try:
                wait_until(
                    lambda: rows(influx, "SELECT * FROM read_rate WHERE device = 'llrp-1'"),
                    WITHIN_S,
                    lambda: edge.log() + rules.log() + broker.log,
                )
                assert (edge.stop(), rules.stop()) == (0, 0)
                assert list((influx.directory / "data/tagwharf/autogen").glob("*/index")), "its index is in memory"
            finally:
                for process in (edge, rules):
                    if process.alive:
                        process.kill()
        finally:
            broker.kill()


def assert_store(influx: Influx) -> None:
    """The database keeps for as long as was asked, and our user may write into it and do nothing else."""
    policies = rows(influx, "SHOW RETENTION POLICIES")
    assert policies == [["autogen", "720h0m0s", "168h0m0s", 1, True]]
    assert rows(influx, f"SHOW GRANTS FOR {store.USER}") == [["tagwharf", "WRITE"]]


def assert_only_our_user_comes_in(broker: Server, secrets: Path) -> None:
    """Nobody without a password; the user tagwharf within its site alone."""

    async def reaches(topic: str, **login: str) -> bool:
        try:
            async with aiomqtt.Client("127.0.0.1", broker.port, **login) as client:  # type: ignore[arg-type]  # two texts
                await client.subscribe(topic, qos=1)
                await client.publish(topic, b"{}", qos=1, retain=False)
                async with asyncio.timeout(2):
                    async for message in client.messages:
                        return str(message.topic) == topic
        except (aiomqtt.MqttError, TimeoutError):
            return False
        return False

    login = {"username": mosquitto.USER, "password": (secrets / "mqtt-password").read_text()}
    assert asyncio.run(reaches("tagwharf/1/hamburg/gate-3/example", **login))
    assert not asyncio.run(reaches("tagwharf/1/rotterdam/gate-3/example", **login))
    assert not asyncio.run(reaches("elsewhere", **login))
    assert not asyncio.run(reaches("tagwharf/1/hamburg/gate-3/example"))
    assert not asyncio.run(reaches("tagwharf/1/hamburg/gate-3/example", **(login | {"password": "guessed"})))


def run_again(root: Root, directory: str, answers: Path) -> str:
    """`tagwharf init --yes` in this process; returns what it said."""
    said: list[str] = []
    options = Options(root, directory, answers, agreed=True)
    assert asyncio.run(run(options, Asker(str, said.append), said.append)) is Outcome.DONE
    return "\n".join(said)


class PtyReader:
    """An M100 module at a pseudo-terminal, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._serving: asyncio.Task[None] | None = None

    async def _start(self) -> str:
        self._port = PtyPort.open()
        self._serving = asyncio.create_task(m100.serve(self._port, EchoRadio([EPC])))
        return self._port.path

    async def _stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._port.close()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Gives the path of the line."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            yield asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        finally:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()


def test_the_reader_on_a_serial_line_is_recognised_and_written_down(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    answers = tmp_path / "answers.toml"
    answers.write_text('[site]\nname = "hamburg"\n[search]\nmdns = false\ntry_lines = true\n')
    with PtyReader().serving() as line:
        add_adapter(root, "usb-1a86_USB_Serial-if00-port0", line, "WCH", "USB Serial")
        said = run_again(root, "/etc/tagwharf", answers)
    assert "m100 answers" in said
    (reader,) = load_site(root.at("/etc/tagwharf/site.toml")).reader
    assert (reader.driver, reader.port) == ("m100", "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0")


def test_a_second_run_changes_nothing_in_the_store(tmp_path: Path, influx: Influx) -> None:
    admin = tmp_path / "admin"
    admin.write_text(ADMIN_PASSWORD)
    admin.chmod(0o600)
    answers = tmp_path / "answers.toml"
    text = f'[site]\nname = "hamburg"\n[search]\nmdns = false\n[store]\nkind = "influxdb"\nurl = "{influx.url}"\n'
    text += 'database = "plant"\nkeep_days = 0\n'
    answers.write_text(text)
    root = machine(tmp_path / "root")
    with pytest.raises(StepError, match=r"store\.admin_user"):
        run_again(root, "/etc/one", answers)
    assert not root.at("/etc/one").exists()
    answers.write_text(f'{text}admin_user = "{ADMIN}"\nadmin_password_file = "{admin}"\n')
    assert "'plant' is made, kept for ever" in run_again(root, "/etc/one", answers)
    assert "'plant' is there and stays" in run_again(root, "/etc/two", answers)
    assert rows(influx, "SHOW USERS") == [[ADMIN, True], [store.USER, False]]
    assert rows(influx, "SHOW RETENTION POLICIES", "plant") == [["autogen", "0s", "168h0m0s", 1, True]]
    root.at(f"/etc/credstore/{store.CREDENTIAL}").unlink()
    with pytest.raises(StepError, match="drop that user"):
        run_again(root, "/etc/three", answers)
    assert not root.at("/etc/three").exists()
