#!/bin/bash
# Installs the npm package epc-tds, a second implementation that the tag data tests ask.
# May be repeated.
set -euo pipefail

PACKAGE=epc-tds
VERSION=1.4.1
SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
FOLDER=$SERVERS/$PACKAGE

installed() {
    [ -f "$FOLDER/node_modules/$PACKAGE/package.json" ] &&
        [ "$(node -p "require('$FOLDER/node_modules/$PACKAGE/package.json').version")" = "$VERSION" ]
}

command -v npm >/dev/null || { echo "epc-tds/install.sh: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }
if installed; then exit 0; fi

mkdir -p "$FOLDER"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$FOLDER" "$PACKAGE@$VERSION" >/dev/null
installed || { echo "epc-tds/install.sh: $PACKAGE $VERSION is not in $FOLDER after its installation" >&2; exit 1; }
