#!/bin/bash
# Installs the npm package node-opcua, whose server the OPC UA tests read and command.
# May be repeated.
set -euo pipefail

PACKAGE=node-opcua
VERSION=2.186.4
SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
FOLDER=$SERVERS/node_opcua

installed() {
    [ -f "$FOLDER/node_modules/$PACKAGE/package.json" ] &&
        [ "$(node -p "require('$FOLDER/node_modules/$PACKAGE/package.json').version")" = "$VERSION" ]
}

command -v npm >/dev/null || { echo "node_opcua/install.sh: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }
if installed; then exit 0; fi

mkdir -p "$FOLDER"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$FOLDER" "$PACKAGE@$VERSION" >/dev/null
installed || { echo "node_opcua/install.sh: $PACKAGE $VERSION is not in $FOLDER after its installation" >&2; exit 1; }
