#!/bin/bash
# The PyPI package gurux-dlms (GPL-2.0-only), a DLMS/COSEM client, in a venv of its own: it is never imported, only run.
# May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/gurux_dlms
"$folder/bin/python" -c "import gurux_dlms" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet gurux-dlms==1.0.203 &&
        "$folder/bin/python" -c "import gurux_dlms"
}
install >"$log" 2>&1 || { echo "gurux_dlms peer: could not be installed" >&2; cat "$log" >&2; exit 1; }
