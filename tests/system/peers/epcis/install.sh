#!/bin/bash
# Two peers that know EPCIS: epcis-event-hash-generator of PyPI (MIT), the reference of the event hash, in a venv of its
# own; and epcis2.js of npm (Apache-2.0), which validates by GS1's JSON schema and hashes. May be repeated.
# Of epcis2.js the archive is enough: what it needs is bundled in it.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/epcis
script=epcis2.js
version=2.7.3
ready() {
    "$folder/bin/python" -c "import epcis_event_hash_generator.hash_generator" 2>/dev/null &&
        [ "$(node -p "require('$folder/$script/package.json').version" 2>/dev/null)" = "$version" ]
}
ready && exit 0
command -v npm >/dev/null || { echo "epcis: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }

log=$(mktemp)
scratch=$(mktemp -d)
trap 'rm -rf "$log" "$scratch"' EXIT
install() {
    mkdir -p "$(dirname "$folder")" &&
        python3 -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --disable-pip-version-check --quiet \
            epcis-event-hash-generator==1.9.3 PyLD==3.3.0 python-dateutil==2.9.0.post0 Flask==3.1.3 &&
        (cd "$scratch" && npm pack --silent "$script@$version") &&
        tar -xzf "$scratch/$script-$version.tgz" -C "$scratch" &&
        mv "$scratch/package" "$folder/$script" &&
        ready
}
install >"$log" 2>&1 || { echo "epcis: could not be installed" >&2; cat "$log" >&2; exit 1; }
