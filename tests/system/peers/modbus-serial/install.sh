#!/bin/bash
# Installs the npm package modbus-serial (ISC), whose Modbus TCP server the meter tests read. May be repeated.
set -euo pipefail

PACKAGE=modbus-serial
VERSION=8.0.25
SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
FOLDER=$SERVERS/$PACKAGE

installed() {
    [ -f "$FOLDER/node_modules/$PACKAGE/package.json" ] &&
        [ "$(node -p "require('$FOLDER/node_modules/$PACKAGE/package.json').version")" = "$VERSION" ]
}

command -v npm >/dev/null || { echo "modbus-serial/install.sh: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }
if installed; then exit 0; fi

# Without its optional native part, for serial ports: the server is asked over TCP.
mkdir -p "$FOLDER"
npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --prefix "$FOLDER" "$PACKAGE@$VERSION" >/dev/null
installed || { echo "modbus-serial/install.sh: $PACKAGE $VERSION is not in $FOLDER after its installation" >&2; exit 1; }
