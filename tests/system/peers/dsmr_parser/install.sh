#!/bin/bash
# The parser of P1 telegrams dsmr-parser of PyPI (MIT), which pins an old dlms-cosem, in a venv of its own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/dsmr_parser
"$folder/bin/python" -c "import dsmr_parser" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet dsmr-parser==1.11.2 &&
        "$folder/bin/python" -c "import dsmr_parser"
}
install >"$log" 2>&1 || { echo "dsmr_parser: could not be installed" >&2; cat "$log" >&2; exit 1; }
