"""One target under the coverage-guided fuzzer: `python -m tests.fuzz.child NAME LIBFUZZER-ARGUMENTS...`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["readers"]):
    from tests.fuzz.targets import targets

    TARGETS = targets()  # made here, for it imports the codecs

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    myself = f"{sys.executable} -m tests.fuzz.child {name}"  # merging runs it through a shell
    atheris.Setup([myself, *arguments], TARGETS[name].run)
    atheris.Fuzz()
