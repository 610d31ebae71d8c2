#!/bin/bash
# Runs inside the booted machine, as the last unit of its start; PASS and FAIL lines go to /results.txt.
exec > >(tee /results.txt) 2>&1
fail=0
ok() { if eval "$2"; then echo "PASS $1"; else echo "FAIL $1"; fail=1; fi; }
pid() { systemctl show -P MainPID "$1"; }
until_true() { for _ in $(seq 100); do eval "$1" && return 0; sleep .2; done; return 1; }

for unit in tagwharf-edge tagwharf-edge@dock tagwharf-rules tagwharf-console; do
  ok "$unit is active" "until_true 'systemctl is-active -q $unit'"
  ok "$unit has no capabilities" "grep -q '^CapBnd:.0000000000000000' /proc/\$(pid $unit)/status"
  ok "$unit gains no privileges" "grep -q '^NoNewPrivs:.1' /proc/\$(pid $unit)/status"
  ok "$unit has a system call filter" "grep -q '^Seccomp:.2' /proc/\$(pid $unit)/status"
done
for daemon in edge rules console; do
  ok "$daemon has a user of its own" "[ \"\$(ps -o user:32= -p \$(pid tagwharf-$daemon))\" = tagwharf-$daemon ]"
done
ok "the ledger balances" "until_true '/opt/tagwharf/bin/tagwharf ledger > /ledger.txt' && grep -q '^dock, at' /ledger.txt"
ok "the console reads the journal and cannot write it" \
  "setpriv --reuid=tagwharf-console --regid=tagwharf --clear-groups sh -c 'cat /var/lib/tagwharf/events/*.db > /dev/null && ! touch /var/lib/tagwharf/x'"
ok "the console reads the edge journal and cannot write it" \
  "until_true 'ls /var/lib/tagwharf-edge/journal/*.sqlite' && setpriv --reuid=tagwharf-console --regid=tagwharf --init-groups sh -c 'cat /var/lib/tagwharf-edge/journal/*.sqlite > /dev/null && ! touch /var/lib/tagwharf-edge/x'"
ok "the console's own process has the groups for both journals" \
  "grep '^Groups:' /proc/\$(pid tagwharf-console)/status | grep -qw \$(getent group tagwharf-edge | cut -d: -f3)"
ok "the edge cannot see what was concluded" \
  "! setpriv --reuid=tagwharf-edge --regid=tagwharf-edge --clear-groups ls /var/lib/tagwharf"
ok "no credential is handed over while there is none" "[ ! -e /run/credentials/tagwharf-edge.service/mqtt-password ]"
echo -n canary > /etc/credstore/tagwharf.mqtt-password
systemctl restart tagwharf-edge
ok "a credential is handed over when it is there" "grep -q canary /run/credentials/tagwharf-edge.service/mqtt-password"
before=$(pid tagwharf-edge); kill -9 "$before"
ok "comes back after kill -9" "until_true '[ \$(pid tagwharf-edge) != 0 ] && [ \$(pid tagwharf-edge) != $before ] && systemctl is-active -q tagwharf-edge'"
before=$(pid tagwharf-rules); kill -STOP "$before"
ok "comes back after a hang" "until_true '[ \$(pid tagwharf-rules) != 0 ] && [ \$(pid tagwharf-rules) != $before ] && systemctl is-active -q tagwharf-rules'"
ok "the journal names the watchdog" "journalctl -u tagwharf-rules -o cat | grep -q 'Watchdog timeout'"
ok "the ledger balances still" "until_true '/opt/tagwharf/bin/tagwharf ledger > /ledger.txt'"
echo 'unknown = 1' >> /etc/tagwharf/site.toml
systemctl restart tagwharf-edge
sleep 3
ok "a faulty site file ends with 78 and stays down" \
  "[ \$(systemctl show -P ExecMainStatus tagwharf-edge) = 78 ] && [ \$(systemctl is-active tagwharf-edge) = failed ]"
[ $fail = 0 ] && echo "ALL PASS" || { echo "SOME FAILED"; cat /ledger.txt; journalctl -u 'tagwharf-*' -o cat --no-pager | tail -80; }
sync
systemctl poweroff --force --no-block
