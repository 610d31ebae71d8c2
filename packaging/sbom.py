"""The bill of materials of a release, as CycloneDX 1.6 JSON: what is bundled, in which version, under which licence.

    python packaging/sbom.py [--target bookworm] [--out FILE]

It is made of the runtime part of requirements.lock, of what is vendored in this checkout, and of ourselves. Licences
come from the metadata of the installed packages, so it runs in the environment of the lock. The same checkout gives
the same bytes: no time, no random number.

Source: CycloneDX 1.6 JSON schema (ECMA-424); package URLs: the purl specification, type `pypi`.
"""
# ruff: noqa: INP001  # a script: this directory is no package

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
import uuid
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "packaging"))

from build_deb.locked import Entry, runtime  # noqa: E402  # a script finds its room by the path above
from build_deb.targets import TARGETS, Target  # noqa: E402  # likewise

SPEC_VERSION: Final = "1.6"
VENDORED: Final = ROOT / "gateway" / "console" / "static" / "vendor"
_VENDORED_ROW: Final = re.compile(
    r"^\| `(?P<folder>[^`]+)` \| [^|]+ \| (?P<version>[^|]+) \| (?P<licence>[^|]+) \| npm package `(?P<name>[^`]+)`",
    re.MULTILINE,
)
# The words of old metadata and what SPDX calls the same; a package whose words are neither is refused, not guessed.
SPDX: Final = {
    "MIT License": "MIT",
    "MIT": "MIT",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}
_CLASSIFIER: Final = re.compile(r"^License :: (?:OSI Approved :: )?(?P<name>.+)$")


class SbomError(Exception):
    """Something that is bundled has no licence or version that can be named."""


def licences_of(name: str) -> list[dict[str, Any]]:
    """The licences of an installed package, as CycloneDX has them.

    Raises:
        SbomError: it is not installed, or names none.
    """
    try:
        told = metadata(name)
    except PackageNotFoundError as error:
        raise SbomError(f"{name}: is not installed here; run this with the environment of the lock (.venv)") from error
    if "License-Expression" in told:
        return [{"expression": told["License-Expression"]}]
    found = [match["name"] for each in told.get_all("Classifier") or () if (match := _CLASSIFIER.match(each))]
    words = [each for each in found if each != "OSI Approved"] or [told["License"].strip() if "License" in told else ""]
    licences = [
        {"license": {"id": SPDX[word]} if word in SPDX else {"name": word}}
        for word in words
        if word and "\n" not in word
    ]
    if not licences:
        raise SbomError(f"{name}: its metadata name no licence; look at the package and say what it is")
    return licences


def component(entry: Entry) -> dict[str, Any]:
    """One package of the lock."""
    (pin,) = entry.requirement.specifier
    purl = f"pkg:pypi/{entry.name}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": str(entry.name),
        "version": pin.version,
        "scope": "required",
        "licenses": licences_of(entry.requirement.name),
        "purl": purl,
    }


def vendored(directory: Path = VENDORED) -> list[dict[str, Any]]:
    """What lies in the checkout and is somebody else's, with the hash of each file.

    Raises:
        SbomError: something lies there that its README.md does not name, or the reverse.
    """
    rows = {row["folder"]: row for row in _VENDORED_ROW.finditer((directory / "README.md").read_text(encoding="utf-8"))}
    folders = {path.name for path in directory.iterdir() if path.is_dir()}
    if rows.keys() != folders:
        differ = ", ".join(sorted(rows.keys() ^ folders))
        raise SbomError(f"{directory}: its README.md and what lies there differ in {differ}; say what each is")
    return [_foreign(directory / folder, row) for folder, row in sorted(rows.items())]


def _foreign(folder: Path, row: re.Match[str]) -> dict[str, Any]:
    purl = f"pkg:npm/{row['name']}@{row['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": row["name"],
        "version": row["version"],
        "scope": "required",
        "licenses": [{"license": {"id": row["licence"]}}],
        "purl": purl,
        "components": [
            {
                "type": "file",
                "bom-ref": f"{purl}#{path.name}",
                "name": path.name,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
            }
            for path in sorted(folder.iterdir())
        ],
    }


def bill(target: Target, root: Path = ROOT) -> dict[str, Any]:
    """The whole bill.

    Raises:
        SbomError: something has no licence or version. build_deb.locked.LockError: the lock is not whole.
    """
    lock = root / "requirements.lock"
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = runtime(lock, root / "pyproject.toml", target)
    packages = [component(entry) for entry in entries]
    foreign = vendored()
    refs = {entry.name: each["bom-ref"] for entry, each in zip(entries, packages, strict=True)}
    own = f"pkg:generic/{project['name']}@{project['version']}"
    needs = {ref: sorted(refs[e.name] for e in entries if name in e.asked_by) for name, ref in refs.items()}
    asked = {each for needed in needs.values() for each in needed}
    roots = sorted({*refs.values()} - asked | {each["bom-ref"] for each in foreign})
    found: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
            },
            "properties": [
                {"name": "tagwharf:target", "value": target.name},
                {"name": "tagwharf:lock:sha256", "value": hashlib.sha256(lock.read_bytes()).hexdigest()},
            ],
        },
        "components": [*packages, *foreign],
        "dependencies": [
            {"ref": own, "dependsOn": roots},
            *({"ref": ref, "dependsOn": needed} for ref, needed in sorted(needs.items())),
            *({"ref": each["bom-ref"]} for each in foreign),
        ],
    }
    digest = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(found, sort_keys=True))
    return {**found, "serialNumber": f"urn:uuid:{digest}"}


def main(arguments: list[str] | None = None) -> int:
    """Write the bill; 1 when something in it cannot be named."""
    parser = argparse.ArgumentParser(description="Write the bill of materials of this checkout (CycloneDX JSON).")
    parser.add_argument("--target", choices=sorted(TARGETS), default="bookworm", help="the distribution it is for")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to; standard output when absent")
    options = parser.parse_args(arguments)
    try:
        text = json.dumps(bill(TARGETS[options.target]), indent=2, sort_keys=True) + "\n"
    except SbomError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
