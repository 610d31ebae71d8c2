#!/bin/bash
# A root file system of Debian 12 with systemd, Python and mosquitto, as an archive: the packages are installed into
# copies of it, and booted. Needs Debian's archive the first time. May be repeated.
set -euo pipefail

folder=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/deb_root
archive=$folder/rootfs.tar
[ -s "$archive" ] && command -v systemd-nspawn >/dev/null && exit 0

log=$(mktemp)
trap 'rm -f "$log" "$archive.new"' EXIT
install() {
    export DEBIAN_FRONTEND=noninteractive
    command -v mmdebstrap >/dev/null && command -v systemd-nspawn >/dev/null ||
        { apt-get -qq -o DPkg::Lock::Timeout=300 update || true
          apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false install -y mmdebstrap systemd-container; }
    mkdir -p "$folder"
    [ -s "$archive" ] && return
    local mirror
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -1)
    mmdebstrap --variant=minbase --format=tar \
        --include=systemd,systemd-sysv,dbus,udev,procps,python3,mosquitto,bash-completion \
        bookworm "$archive.new" "deb $mirror bookworm main" &&
        mv "$archive.new" "$archive"
}
install >"$log" 2>&1 || { echo "deb_root: could not be made" >&2; tail -20 "$log" >&2; exit 1; }
