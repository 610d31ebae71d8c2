"""One target under the coverage-guided fuzzer: `python -m tests.fuzz.child NAME LIBFUZZER-ARGUMENTS...`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["readers"]):
    from tests.fuzz.targets import targets

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    atheris.Setup([f"fuzz {name}", *arguments], targets()[name].run)
    atheris.Fuzz()
