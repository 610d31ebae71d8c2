#!/bin/bash
# Boots a minimal Debian with systemd as process 1 and the real daemons under the real units, on simulated devices.
#   boot.sh SOURCE_TREE SITE_PACKAGES ROOTFS_TAR WORK_DIRECTORY
# WORK_DIRECTORY holds credstore/ (credentials), tls/ (certificates of the console), canaries and pages.
# Needs root and systemd-container; rootfs.tar is made by root.sh.
set -euo pipefail
source=$1 packages=$2 tar=$3 work=$4
cd "$work"
root=$work/root
mkdir "$root"; tar -xf "$tar" -C "$root"
opt=$root/opt/tagwharf library=$root/opt/tagwharf/lib/python3.11/site-packages
mkdir -p "$opt/bin" "$library"
# The daemons' libraries, compiled as they are, without the tools of the developers.
tar -C "$packages" -c --exclude=_tagwharf.pth --exclude=playwright --exclude=mypy --exclude='ruff*' \
  --exclude='*atheris*' --exclude='*libfuzzer*' --exclude='*_with_fuzzer.so' --exclude=hypothesis --exclude=grimp . |
  tar -x -C "$library"
tar -C "$source" -c gateway readers rules simulator | tar -x -C "$library"
ln -s /usr/bin/python3 "$opt/bin/python"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' > "$opt/pyvenv.cfg"
printf '#!/opt/tagwharf/bin/python\nfrom gateway.cli import main\nmain()\n' > "$opt/bin/tagwharf"
chmod 755 "$opt/bin/tagwharf"
cp "$source"/systemd/tagwharf-*.service "$root/etc/systemd/system/"
install -m 644 "$source/systemd/tagwharf-edge.service.d/serial.conf" "$root/opt/serial.conf"
install -D -m 644 "$source/systemd/tagwharf.sysusers" "$root/usr/lib/sysusers.d/tagwharf.conf"
install -D -m 644 "$source/systemd/tagwharf.tmpfiles" "$root/usr/lib/tmpfiles.d/tagwharf.conf"
install -D -m 644 "$source/systemd/mosquitto.conf" "$root/etc/mosquitto/conf.d/tagwharf.conf"
install -d "$root/etc/tagwharf/tls"
install -m 644 tls/console.pem "$root/etc/tagwharf/tls/console.pem"
install -m 644 tls/ca.pem "$root/etc/tagwharf/ca.pem"
install -d -m 700 "$root/etc/credstore"
install -m 600 credstore/* "$root/etc/credstore/"
install -m 600 canaries "$root/opt/canaries"
install -m 644 pages "$root/opt/pages"
install -D -m 644 "$source/tests/system/boot/console.conf" "$root/etc/systemd/system/tagwharf-console.service.d/users.conf"
install -m 755 "$source/tests/system/boot/inside.py" "$root/opt/inside.py"
install -m 644 "$source/tests/system/boot/more.toml" "$root/opt/more.toml"
install -m 644 "$source/tests/system/boot/simulator.service" "$source/tests/system/boot/inside.service" \
  "$root/etc/systemd/system/"
systemctl -q --root="$root" enable tagwharf-edge tagwharf-edge@dock tagwharf-rules tagwharf-console \
  simulator inside mosquitto
systemctl -q --root="$root" set-default multi-user.target
systemctl -q --root="$root" mask getty.target console-getty.service
: > "$root/etc/fstab"
# A private mount namespace with a pure cgroup2 tree and a group of its own: nothing is left in this machine's.
group=tagwharf-boot-$$
unshare -m bash -c '
  umount -R /sys/fs/cgroup 2>/dev/null
  mount -t cgroup2 none /sys/fs/cgroup && mkdir -p "/sys/fs/cgroup/$2" && echo $$ > "/sys/fs/cgroup/$2/cgroup.procs"
  exec timeout 400 systemd-nspawn -q -D "$1" --boot --register=no --keep-unit --console=pipe --private-network -M "$2"
' _ "$root" "$group" < /dev/null > console.log 2>&1 || true
for tree in /sys/fs/cgroup/unified /sys/fs/cgroup; do
  for _ in 1 2 3 4 5 6; do
    [ -d "$tree/$group" ] || break
    find "$tree/$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    sleep .5
  done
done
cat "$root/results.txt" || { tail -30 console.log; exit 1; }
rm -rf "$root"
