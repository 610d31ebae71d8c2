#!/bin/bash
# Boots a root file system that has the packages installed, lets inside.sh run in it, and prints what that found.
#   boot.sh ROOT
# Needs root and systemd-nspawn.
set -euo pipefail
root=$1 here=$(cd "$(dirname "$0")" && pwd)
install -m 755 "$here/inside.sh" "$root/inside.sh"
install -D -m 644 "$root/usr/share/tagwharf/mosquitto.conf" "$root/etc/mosquitto/conf.d/tagwharf.conf"
units=$root/etc/systemd/system
# The devices are played by the first version throughout, so that no switch touches them.
cat > "$units/devices.service" <<'U'
[Unit]
After=mosquitto.service
[Service]
ExecStart=/opt/tagwharf/versions/0.1.0/venv/bin/tagwharf simulate port_gate --out /var/devices --start-in 5s
U
printf '[Unit]\nAfter=mosquitto.service\n[Service]\nType=exec\nExecStart=/bin/bash /inside.sh\n[Install]\nWantedBy=multi-user.target\n' \
    > "$units/inside.service"
systemctl -q --root="$root" enable mosquitto inside
systemctl -q --root="$root" disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer 2> /dev/null || true
systemctl -q --root="$root" set-default multi-user.target
systemctl -q --root="$root" mask getty.target console-getty.service
: > "$root/etc/fstab"
# A private mount namespace with a pure cgroup2 tree and a group of its own: nothing is left in this machine's.
group=tagwharf-deb-$$ console=$root.console
unshare -m bash -c '
  umount -R /sys/fs/cgroup 2>/dev/null
  mount -t cgroup2 none /sys/fs/cgroup && mkdir -p "/sys/fs/cgroup/$2" && echo $$ > "/sys/fs/cgroup/$2/cgroup.procs"
  exec timeout 400 systemd-nspawn -q -D "$1" --boot --register=no --keep-unit --console=pipe --private-network -M "$2"
' _ "$root" "$group" < /dev/null > "$console" 2>&1 || true
for tree in /sys/fs/cgroup/unified /sys/fs/cgroup; do
    for _ in 1 2 3 4 5 6; do
        [ -d "$tree/$group" ] || break
        find "$tree/$group" -depth -type d -exec rmdir {} \; 2> /dev/null || true
        sleep .5
    done
done
cat "$root/results.txt" || tail -30 "$console"
rm -f "$console"
