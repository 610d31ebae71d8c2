#!/bin/bash
# Grafana's own types of a board, from npm: @grafana/schema, and @grafana/grafana-foundation-sdk (both Apache-2.0), which
# is made from the same definitions as its JSON schema and knows every key of a panel; and the compiler that checks by them.
# May be repeated.
set -euo pipefail

SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
FOLDER=$SERVERS/grafana
PACKAGES=(@grafana/schema@13.2.3 @grafana/grafana-foundation-sdk@0.0.21 typescript@5.9.3)

installed() {
    local package version
    for package in "${PACKAGES[@]}"; do
        [ -f "$FOLDER/node_modules/${package%@*}/package.json" ] || return 1
        version=$(node -p "require('$FOLDER/node_modules/${package%@*}/package.json').version")
        [ "${version#v}" = "${package##*@}" ] || return 1  # one of them writes v0.0.21
    done
}

command -v npm >/dev/null || { echo "grafana/install.sh: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }
if installed; then exit 0; fi

mkdir -p "$FOLDER"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$FOLDER" "${PACKAGES[@]}" >"$log" 2>&1 || true
installed || { echo "grafana/install.sh: ${PACKAGES[*]} are not in $FOLDER after their installation" >&2; cat "$log" >&2; exit 1; }
