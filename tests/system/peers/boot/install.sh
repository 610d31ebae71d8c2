#!/bin/bash
# Installs what boots a machine for tests/system/test_boot.py: mmdebstrap, systemd-container, and a root file system.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
wanted=()
command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
command -v systemd-nspawn >/dev/null || wanted+=(systemd-container)
command -v systemd-analyze >/dev/null || wanted+=(systemd)
if [ ${#wanted[@]} -gt 0 ]; then
    apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false install -y "${wanted[@]}" >/dev/null </dev/null
fi
bash "$(dirname "$0")/../../boot/root.sh" "${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}/boot"
