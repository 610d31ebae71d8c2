"""Build the Debian packages of this checkout; `python3 dev.py deb --help` tells the rest."""

# ruff: noqa: INP001  # a script: this directory is no package
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from build_deb.cli import main

if __name__ == "__main__":
    sys.exit(main())
