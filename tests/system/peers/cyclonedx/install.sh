#!/bin/bash
# The validator of CycloneDX documents cyclonedx-python-lib of PyPI (Apache-2.0), in a venv of its own. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/cyclonedx
"$folder/bin/python" -c "from cyclonedx.validation.json import JsonStrictValidator; import jsonschema" 2>/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet 'cyclonedx-python-lib[json-validation]>=11,<12' &&
        "$folder/bin/python" -c "from cyclonedx.validation.json import JsonStrictValidator; import jsonschema"
}
install >"$log" 2>&1 || { echo "cyclonedx: could not be installed" >&2; cat "$log" >&2; exit 1; }
