"""A tuned Node-RED flow as a peer: MQTT in, one function that builds and batches line protocol, HTTP request.

Node-RED comes from npm into the directory that TAGWHARF_PEERS names, or one of the temporary directory, once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.site import SITE
from gateway.contract.topics import Topics
from tests.support.servers import free_port

INSTALL_WITHIN_S: Final = 60.0
READY_WITHIN_S: Final = 40.0
LINES: Final = 5_000  # as the sink of ours sends by default
FLUSH_MS: Final = 200

_START: Final = f"""
context.lines = [];
context.heads = {{}};
context.flush = () => {{
    if (context.lines.length) {{
        const lines = context.lines;
        context.lines = [];
        node.send({{ payload: lines.join("\\n") }});
    }}
}};
context.timer = setInterval(context.flush, {FLUSH_MS});
"""
_STOP: Final = "clearInterval(context.timer); context.flush();"
_MESSAGE: Final = f"""
const batch = JSON.parse(msg.payload);
const lines = context.lines, heads = context.heads, reads = batch.reads;
for (let i = 0; i < reads.length; i++) {{
    const r = reads[i], key = r.read_point + "," + r.antenna_port;
    const head = heads[key] || (heads[key] = "tag_read,site={SITE},device=" + batch.device + ",read_point=" +
        r.read_point + ",antenna_port=" + r.antenna_port);
    lines.push(head + ' epc="' + r.epc + '",count=' + (r.count === undefined ? 1 : r.count) + "i,rssi_dbm=" +
        r.rssi_dbm + ",first_seen_at_us=" + r.first_seen_at_us + "i " + r.seen_at_us +
        String((batch.ordinal + i) % 1000).padStart(3, "0"));
}}
if (lines.length >= {LINES}) context.flush();
"""


def installed() -> Path | None:
    """Node-RED's directory, after an attempt to get it; None where there is no Node, no npm or no registry."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    peers = Path(os.environ.get("TAGWHARF_PEERS") or Path(tempfile.gettempdir(), "tagwharf-peers"))
    found = peers / "node_modules" / "node-red"
    if not found.exists():
        peers.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(peers), "--no-audit", "--no-fund", "--loglevel=error", "node-red@4"]
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_WITHIN_S)
    return found if found.exists() else None


def version(program: Path) -> str:
    """Node-RED's own version."""
    found: str = json.loads((program / "package.json").read_text())["version"]
    return found


@contextlib.contextmanager
def running(program: Path, directory: Path, broker_port: int, write_url: str) -> Iterator[int]:
    """Run the flow until the end of the block; its process id, when it is connected to the broker.

    Raises:
        RuntimeError: it does not connect; the message holds what it said.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "flows.json").write_text(json.dumps(_flow(broker_port, write_url)))
    (directory / "settings.js").write_text(
        'module.exports = { flowFile: "flows.json", uiHost: "127.0.0.1", credentialSecret: false, '
        'functionExternalModules: false, logging: { console: { level: "info", metrics: false, audit: false } } };\n'
    )
    log = directory / "node-red.log"
    command = ["node", str(program / "red.js"), "--userDir", str(directory), "--port", str(free_port())]
    command += ["--settings", str(directory / "settings.js")]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=directory) as child:
        try:
            until_s = time.monotonic() + READY_WITHIN_S
            while "Connected to broker" not in log.read_text(errors="replace"):
                if child.poll() is not None or time.monotonic() > until_s:
                    raise RuntimeError(f"Node-RED does not get ready; it said:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)
            time.sleep(1.0)  # the subscription follows
            yield child.pid
        finally:
            child.kill()


def _flow(broker_port: int, write_url: str) -> list[dict[str, Any]]:
    function = {"initialize": _START, "func": _MESSAGE, "finalize": _STOP, "outputs": 1, "timeout": 0, "noerr": 0}
    request = {"method": "POST", "url": write_url, "ret": "txt", "persist": True, "headers": [], "paytoqs": "ignore"}
    broker = {"broker": "127.0.0.1", "port": str(broker_port), "protocolVersion": "4", "cleansession": True}
    subscription = {"topic": f"{Topics(SITE).root}/+/reads", "qos": "1", "datatype": "utf8", "broker": "b", "inputs": 0}
    return [
        {"id": "t", "type": "tab", "label": "bench", "disabled": False},
        {"id": "b", "type": "mqtt-broker", "clientid": "bench-node-red", "keepalive": "60", "usetls": False} | broker,
        {"id": "m", "type": "mqtt in", "z": "t", "x": 1, "y": 1, "wires": [["f"]]} | subscription,
        {"id": "f", "type": "function", "z": "t", "x": 2, "y": 1, "wires": [["h"]], "libs": []} | function,
        {"id": "h", "type": "http request", "z": "t", "x": 3, "y": 1, "wires": [[]]} | request,
    ]
