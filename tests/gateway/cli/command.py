"""The command as people run it: a process of its own, its exit code and what it prints."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-c", "from gateway.cli import main; main()"]
SITE = '[site]\nname = "hamburg"\nstate_dir = "{state}"\n[mqtt]\nport = {port}\n'


def tagwharf(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TAGWHARF", "STATE_DIR"))}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**inherited, "COLUMNS": "200", **environment},
    )


def site_file(tmp_path: Path, port: int = 1883, more: str = "") -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(state=tmp_path / "state", port=port) + more)
    return path
