#!/bin/bash
# Two clients of UHFReader readers from PyPI, both MIT: wabson.chafon-rfid (inventories) and uhfreader18 (settings and
# reports), in a venv of their own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/uhfreader
"$folder/bin/python" -c "import chafon_rfid, serial, uhfreader18" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --only-binary :all: \
            wabson.chafon-rfid==1.0.0 uhfreader18==0.6.0 pyserial==3.5 &&
        "$folder/bin/python" -c "import chafon_rfid, serial, uhfreader18"
}
install >"$log" 2>&1 || { echo "uhfreader peers: could not be installed" >&2; cat "$log" >&2; exit 1; }
