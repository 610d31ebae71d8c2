#!/bin/bash
# Installs what the tests in a virtual machine need, on Debian 12, as root: QEMU, and the files of a small Debian with a
# kernel and Python, unpacked but not configured (nothing of it is installed here). May be repeated.
set -euo pipefail

HOME_OF_VM=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/vm
export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || { echo "tests/soak/vm/install.sh: needs root" >&2; exit 1; }

wanted=()
command -v qemu-system-x86_64 >/dev/null || wanted+=(qemu-system-x86)
command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
command -v qemu-io >/dev/null || wanted+=(qemu-utils)
command -v debugfs >/dev/null || wanted+=(e2fsprogs)
if [ ${#wanted[@]} -gt 0 ]; then
    apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false install -y "${wanted[@]}" >/dev/null </dev/null
fi
[ ! -s "$HOME_OF_VM/root.tar" ] || exit 0
mkdir -p "$HOME_OF_VM"
archive=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
    awk '{ print $1; exit }')
draft=$(mktemp -d)
trap 'rm -rf "$draft"' EXIT
mmdebstrap --quiet --variant=extract --include=python3-minimal,libpython3-stdlib,busybox-static,linux-image-amd64 \
    bookworm "$draft/root.tar" "deb $archive bookworm main" >"$draft/log" 2>&1 || { tail -20 "$draft/log" >&2; exit 1; }
mv "$draft/root.tar" "$HOME_OF_VM/root.tar"
