#!/bin/bash
# The parser of SML files smllib of PyPI (GPL-3.0-or-later), in a venv of its own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/smllib
"$folder/bin/python" -c "import smllib" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet smllib==1.7 &&
        "$folder/bin/python" -c "import smllib"
}
install >"$log" 2>&1 || { echo "smllib: could not be installed" >&2; cat "$log" >&2; exit 1; }
