#!/bin/bash
# Boots a minimal Debian with systemd as process 1 and the real daemons under the real units.
#   boot.sh SOURCE_TREE SITE_PACKAGES WORK_DIRECTORY
# Needs root, mmdebstrap, systemd-container, and Debian's archive for the first run in a work directory (rootfs.tar).
set -euo pipefail
source=$1 packages=$2 work=$3
cd "$work"
if [ ! -f rootfs.tar ]; then
  archive=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)
  mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev,procps,python3-minimal,libpython3-stdlib,mosquitto \
    bookworm rootfs.tar "deb $archive bookworm main" > rootfs.log 2>&1
fi
root=$work/root
rm -rf "$root"; mkdir "$root"; tar -xf rootfs.tar -C "$root"
opt=$root/opt/tagwharf library=$root/opt/tagwharf/lib/python3.11/site-packages
mkdir -p "$opt/bin" "$library"
cp -r "$packages/." "$library/"
rm -f "$library/_tagwharf.pth"
cp -r "$source"/{gateway,readers,rules,simulator} "$library/"
ln -s /usr/bin/python3 "$opt/bin/python"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' > "$opt/pyvenv.cfg"
printf '#!/opt/tagwharf/bin/python\nfrom gateway.cli import main\nmain()\n' > "$opt/bin/tagwharf"
chmod 755 "$opt/bin/tagwharf"
cp "$source"/systemd/tagwharf-*.service "$root/etc/systemd/system/"
install -D -m 644 "$source/systemd/tagwharf.sysusers" "$root/usr/lib/sysusers.d/tagwharf.conf"
install -D -m 644 "$source/systemd/tagwharf.tmpfiles" "$root/usr/lib/tmpfiles.d/tagwharf.conf"
install -D -m 644 "$source/systemd/mosquitto.conf" "$root/etc/mosquitto/conf.d/tagwharf.conf"
mkdir -p "$root/etc/tagwharf"
printf '[[reader]]\nname = "gate"\ndriver = "llrp"\nport = "tcp://127.0.0.1:5084"\n' |
  cat "$source/systemd/site.toml" - > "$root/etc/tagwharf/site.toml"
printf '[site]\nname = "hamburg"\ngateway = "dock"\n[health]\nedge_port = 9163\n' > "$root/etc/tagwharf/dock.toml"
install -m 755 "$source/tests/system/boot/inside.sh" "$root/opt/inside.sh"
# Type=exec: a oneshot would belong to the very start that it waits for.
printf '[Unit]\nAfter=tagwharf-edge.service tagwharf-rules.service\n[Service]\nType=exec\nExecStart=/bin/bash /opt/inside.sh\n[Install]\nWantedBy=multi-user.target\n' \
  > "$root/etc/systemd/system/inside.service"
systemctl -q --root="$root" enable tagwharf-edge tagwharf-edge@dock tagwharf-rules tagwharf-console inside mosquitto
systemctl -q --root="$root" set-default multi-user.target
systemctl -q --root="$root" mask getty.target console-getty.service
: > "$root/etc/fstab"
# A private mount namespace with a pure cgroup2 tree and a group of its own: nothing is left in this machine's.
group=tagwharf-boot-$$
unshare -m bash -c '
  umount -R /sys/fs/cgroup 2>/dev/null
  mount -t cgroup2 none /sys/fs/cgroup && mkdir -p "/sys/fs/cgroup/$2" && echo $$ > "/sys/fs/cgroup/$2/cgroup.procs"
  exec timeout 180 systemd-nspawn -q -D "$1" --boot --register=no --keep-unit --console=pipe --private-network -M "$2"
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
