"""Lets the tests import what lies in packaging/, which is a room of scripts and no package of the product."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))
