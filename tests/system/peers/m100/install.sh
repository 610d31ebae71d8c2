#!/bin/bash
# The PyPI package rfid-r200 (GPL-3.0-or-later), a client of R200 modules, in a venv of its own. May be repeated.
# Its metadata asks for Python 3.12; its code runs on 3.11.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/m100
"$folder/bin/python" -c "import src.rfid_r200" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --ignore-requires-python \
            --only-binary :all: rfid-r200==0.1.1 pyserial==3.5 pyserial-asyncio==0.6 &&
        "$folder/bin/python" -c "import src.rfid_r200"
}
install >"$log" 2>&1 || { echo "m100 peer: could not be installed" >&2; cat "$log" >&2; exit 1; }
