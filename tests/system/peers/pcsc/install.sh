#!/bin/bash
# Installs what tests/system/test_pcsc.py needs, on Debian 12, as root: pcscd and the virtual reader vsmartcard-vpcd from
# Debian, and pyscard built in a venv of its own that sees this project's packages. May be repeated; starts no service.
set -euo pipefail

here=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/pcsc
pyscard="pyscard==2.3.1"
python=${PYTHON:-python3}
export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "pcsc: $*"; }
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@"; }

there() {
    command -v pcscd >/dev/null && command -v ip >/dev/null && [ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] &&
        "$here/venv/bin/python" -c 'import smartcard.scard' 2>/dev/null
}

if there; then
    say "all there"
    exit 0
fi
[ "$(id -u)" = 0 ] || { say "needs root; run it with sudo" >&2; exit 1; }

scratch=$(mktemp -d)
guard=/usr/sbin/policy-rc.d
made_guard=
cleanup() {
    rm -rf "$scratch"
    if [ -n "$made_guard" ]; then rm -f "$guard"; fi
}
trap cleanup EXIT

# The packages' own services are not to start: the tests run pcscd as a process of their own.
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    made_guard=yes
fi

quietly() { "$@" >"$scratch/log" 2>&1 </dev/null || { cat "$scratch/log" >&2; return 1; }; }

say "installing pcscd, vsmartcard-vpcd and what builds pyscard"
apt update >"$scratch/log" 2>&1 || tail -3 "$scratch/log" >&2
quietly apt install -y pcscd vsmartcard-vpcd iproute2 libpcsclite-dev swig gcc libc6-dev pkg-config

say "building $pyscard"
mkdir -p "$here"
quietly "$python" -m venv --clear "$here/venv"
quietly "$here/venv/bin/python" -m pip install --quiet "$pyscard"
there || { say "installed, but it does not work: see the messages above" >&2; exit 1; }
say "done"
