#!/bin/bash
# Makes the root file system that boot.sh boots: a minimal Debian with systemd, Python and Mosquitto. May be repeated.
#   root.sh DIRECTORY        makes DIRECTORY/rootfs.tar; needs root, mmdebstrap, and Debian's archive
set -euo pipefail
[ ! -s "$1/rootfs.tar" ] || exit 0
mkdir -p "$1"
archive=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -1)
mmdebstrap --variant=minbase \
  --include=systemd,systemd-sysv,dbus,udev,procps,python3-minimal,libpython3-stdlib,mosquitto \
  bookworm "$1/draft.tar" "deb $archive bookworm main" > "$1/rootfs.log" 2>&1 || { tail -20 "$1/rootfs.log" >&2; exit 1; }
mv "$1/draft.tar" "$1/rootfs.tar"
