"""What nfpm is told, and how it is run: every file by name, so that nothing depends on the order of a directory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from build_deb.targets import ARCHITECTURE
from build_deb.trees import MAINTAINER
from build_deb.wheels import run

HOMEPAGE: Final = "https://tagwharf.invalid/"
CONFFILES: Final = "etc/"
"""Below this, dpkg asks before it changes what an operator has changed."""


def contents(tree: Path, date_s: int) -> list[dict[str, object]]:
    """All files and links of a tree as nfpm takes them."""
    stamp = datetime.fromtimestamp(date_s, UTC).isoformat().replace("+00:00", "Z")
    found: list[dict[str, object]] = []
    for path in sorted(tree.rglob("*")):
        inside = path.relative_to(tree).as_posix()
        if path.is_symlink():
            entry: dict[str, object] = {"src": str(path.readlink()), "dst": f"/{inside}", "type": "symlink"}
            # Told, for else nfpm asks what lies under that name on the machine that builds.
            entry["file_info"] = {"mode": 0o777, "mtime": stamp}
        elif path.is_file():
            entry = {"src": str(path), "dst": f"/{inside}"}
            entry["file_info"] = {"mode": path.stat().st_mode & 0o777, "mtime": stamp}
            if inside.startswith(CONFFILES):
                entry["type"] = "config"
        else:
            continue
        found.append(entry)
    return found


def recipe(
    *,
    name: str,
    version: str,
    architecture: str,
    summary: str,
    tree: Path,
    date_s: int,
    depends: Sequence[str],
    recommends: Sequence[str] = (),
    scripts: Mapping[str, Path],
) -> dict[str, object]:
    """One package as nfpm takes it."""
    return {
        "name": name,
        "arch": architecture,
        "platform": "linux",
        "version": version,
        "version_schema": "none",
        "section": "net",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "description": summary,
        "homepage": HOMEPAGE,
        "license": "GPL-3.0-or-later",
        "disable_globbing": True,
        "mtime": datetime.fromtimestamp(date_s, UTC).isoformat().replace("+00:00", "Z"),
        "depends": list(depends),
        "recommends": list(recommends),
        "contents": contents(tree, date_s),
        "scripts": {kind: str(path) for kind, path in scripts.items()},
        "deb": {"compression": "gzip"},
    }


def make(nfpm: Path, told: dict[str, object], scratch: Path, out: Path, date_s: int) -> Path:
    """Run nfpm; returns the package.

    Raises:
        BuildError: it refuses.
    """
    # JSON is YAML too.
    path = scratch / f"{told['name']}.yaml"
    path.write_text(json.dumps(told, indent=1))
    made = out / f"{told['name']}_{told['version']}_{told['arch']}.deb"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date_s), "TZ": "UTC"}
    run([str(nfpm), "package", "-f", str(path), "-p", "deb", "-t", str(made)], env=environment)
    return made


__all__ = ["ARCHITECTURE", "contents", "make", "recipe"]
