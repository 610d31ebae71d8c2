#!/bin/bash
# The PyPI package dlt698 (Apache-2.0), server and client of DL/T 698.45, in a venv of its own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/dlt698
"$folder/bin/python" -c "import dlt698" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --only-binary :all: dlt698==1.0.1 &&
        "$folder/bin/python" -c "import dlt698"
}
install >"$log" 2>&1 || { echo "dlt698 peer: could not be installed" >&2; cat "$log" >&2; exit 1; }
