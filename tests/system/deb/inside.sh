#!/bin/bash
# Runs inside the booted machine; PASS and FAIL lines go to /results.txt.
exec > >(tee /results.txt) 2>&1
fail=0
ok() { if eval "$2"; then echo "PASS $1"; else echo "FAIL $1"; fail=1; fi; }
until_true() { for _ in $(seq "${2:-150}"); do eval "$1" && return 0; sleep .2; done; return 1; }
link() { readlink "/opt/tagwharf/$1"; }
first=/opt/tagwharf/versions/0.1.0/venv/bin/tagwharf
ledger() { $first ledger > /ledger.txt; }
# "name heard judged dropped queued" of the tag reads.
reads() { sed -n 's/.*tag reads: heard \([0-9]*\) = judged \([0-9]*\) + dropped \([0-9]*\).*queued \([0-9]*\).*/\1 \2 \3 \4/p' /ledger.txt; }
heard() { ledger; reads | cut -d' ' -f1; }
runs() { tagwharf-ctl status > /status.txt && [ "$(link current)" = "versions/$1" ]; }
# All daemons run, whatever the time a busy machine needs.
settles() { until_true "runs $1" 300; }
later() { before=$(heard); until_true "[ \"\$(heard)\" -gt \"${before:-0}\" ]" 60; }
phase() { echo "     $(cut -d. -f1 /proc/uptime) s: $1"; }

systemctl start devices
until_true '[ -s /var/devices/site.toml ]'
cp /var/devices/*.* /etc/tagwharf/
systemctl enable -q --now tagwharf-edge tagwharf-rules tagwharf-console
ok "0.1.0 runs" "settles 0.1.0"
ok "reads are heard" "until_true '[ \"\$(heard)\" -gt 0 ]' 60"
(while [ ! -e /enough ]; do $first ledger | grep -E 'balanced|DIFFERENCE' >> /sampled.txt; sleep 1; done) &

phase "upgrade to 0.2.0"
ok "apt upgrades to 0.2.0" "apt-get -q install -y /packages/*0.2.0+deb12*.deb > /upgrade.txt 2>&1"
ok "0.2.0 runs" "settles 0.2.0"
ok "0.1.0 is the previous one" "[ \$(link previous) = versions/0.1.0 ]"
ok "reads are heard by 0.2.0" later

phase "upgrade to 0.3.0, which hangs"
ok "apt does not mind a version that hangs" "apt-get -q install -y /packages/*0.3.0+deb12*.deb > /hanging.txt 2>&1"
ok "it was tried and switched back" "grep -q 'switched back to version 0.2.0, which runs as before' /hanging.txt"
ok "it tells that the watchdog starved" "grep -Eq 'stood still|healthy watchdog ticks' /hanging.txt"
ok "0.2.0 runs again" "settles 0.2.0"
ok "0.1.0 is still the previous one" "[ \$(link previous) = versions/0.1.0 ]"
ok "dpkg is whole" "[ -z \"\$(dpkg --audit)\" ]"
ok "reads are heard after that" later

phase "a switch that is killed"
tagwharf-ctl switch 0.1.0 > /killed.txt 2>&1 & victim=$!
ok "the switch is under way" "until_true '[ -e /opt/tagwharf/.switching ] && [ \$(link current) = versions/0.1.0 ]'"
ok "a second call is told so" "tagwharf-ctl rollback > /second.txt 2>&1; [ \$? = 75 ]"
kill -9 $victim
ok "status tells it" "tagwharf-ctl status > /status.txt; [ \$? = 4 ] && grep -q 'cut short' /status.txt"
ok "it is taken back" "tagwharf-ctl recover > /recovered.txt 2>&1"
ok "0.2.0 runs after it" "settles 0.2.0"
ok "0.1.0 is the previous one after it" "[ \$(link previous) = versions/0.1.0 ]"

phase "rollback"
ok "rollback" "tagwharf-ctl rollback > /rollback.txt 2>&1"
ok "0.1.0 runs again" "settles 0.1.0"
ok "0.2.0 is the previous one" "[ \$(link previous) = versions/0.2.0 ]"
ok "reads are heard by 0.1.0 again" later

phase "the account"
systemctl stop devices
ok "nothing is queued in the end" "until_true 'ledger && [ \"\$(reads | cut -d\" \" -f4)\" = 0 ]' 60"
ok "all that was heard was judged" "reads | { read -r heard judged dropped queued; [ \$heard -gt 0 ] && [ \$heard = \$judged ] && [ \$dropped = 0 ]; }"
touch /enough
ok "the ledger was looked at often" "[ \$(wc -l < /sampled.txt) -ge 8 ]"
ok "and balanced every time" "! grep -vx balanced /sampled.txt"
phase "done"
cat /ledger.txt
[ $fail = 0 ] && echo "ALL PASS" || { echo "SOME FAILED"; tail -n 20 /upgrade.txt /hanging.txt /killed.txt /second.txt /recovered.txt /rollback.txt /status.txt /sampled.txt; journalctl -u 'tagwharf-*' -p warning -o cat --no-pager | tail -40; }
sync
systemctl poweroff --force --no-block
