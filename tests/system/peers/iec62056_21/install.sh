#!/bin/bash
# The client iec62056-21 of PyPI (BSD), in a venv of its own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/iec62056_21
"$folder/bin/python" -c "import iec62056_21" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet iec62056-21==0.0.2 &&
        "$folder/bin/python" -c "import iec62056_21"
}
install >"$log" 2>&1 || { echo "iec62056_21: could not be installed" >&2; cat "$log" >&2; exit 1; }
