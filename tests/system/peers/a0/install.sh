#!/bin/bash
# The PyPI package pyImpinj (MIT), a client of R2000 readers, in a venv of its own. May be repeated.
# Its metadata pins a libscrc that no current Python can build; a newer one serves it as well.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/a0
"$folder/bin/python" -c "import pyImpinj" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet libscrc==1.8.1 pyserial==3.5 &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps pyImpinj==1.2 &&
        "$folder/bin/python" -c "import pyImpinj"
}
install >"$log" 2>&1 || { echo "a0 peer: could not be installed" >&2; cat "$log" >&2; exit 1; }
