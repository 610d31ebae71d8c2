#!/bin/bash
# Installs mbpoll, a Modbus client of Debian 12, and builds the server of this folder on Debian's libmodbus, as root.
# May be repeated; starts no service.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/libmodbus
export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "libmodbus: $*"; }
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@"; }
built() { [ -x "$folder/server" ] && [ "$folder/server" -nt "$here/server.c" ]; }

if command -v mbpoll >/dev/null && built; then exit 0; fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; return 1; }; }

if ! command -v mbpoll >/dev/null || ! command -v gcc >/dev/null || ! [ -f /usr/include/modbus/modbus.h ]; then
    [ "$(id -u)" = 0 ] || { say "needs root; run it with sudo" >&2; exit 1; }
    say "installing mbpoll, libmodbus-dev and gcc"
    apt update >"$log" 2>&1 || tail -3 "$log" >&2
    quietly apt install -y mbpoll libmodbus-dev gcc libc6-dev
fi
mkdir -p "$folder"
quietly gcc -O1 -Wall -Werror -I/usr/include/modbus -o "$folder/server" "$here/server.c" -lmodbus
built || { say "installed, but the server is not there" >&2; exit 1; }
