#!/bin/bash
# Installs the npm package axe-core (MPL-2.0), which looks at the pages of the console. May be repeated.
set -euo pipefail

PACKAGE=axe-core
VERSION=4.10.3
SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
FOLDER=$SERVERS/axe

installed() {
    [ -f "$FOLDER/node_modules/$PACKAGE/package.json" ] &&
        [ "$(node -p "require('$FOLDER/node_modules/$PACKAGE/package.json').version")" = "$VERSION" ]
}

command -v npm >/dev/null || { echo "axe/install.sh: needs npm; run tests/system/install_servers.sh" >&2; exit 1; }
if installed; then exit 0; fi

mkdir -p "$FOLDER"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$FOLDER" "$PACKAGE@$VERSION" >/dev/null
installed || { echo "axe/install.sh: $PACKAGE $VERSION is not in $FOLDER after its installation" >&2; exit 1; }
