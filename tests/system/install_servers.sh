#!/bin/bash
# Installs what the system tests need, on Debian 12, as root: mosquitto, influxdb 1.6, victoria-metrics, tshark, npm,
# chromium with Chinese letters, and the tools that faults are made with.
# May be repeated; starts no service and leaves the machine's package sources as they are.
#
# Debian 12 carries VictoriaMetrics 1.79, which hides malformed lines behind a 204. A later suite of the same mirror has
# a current one, which runs here: it is unpacked (not installed) into $SERVERS. When that fails, 1.79 is installed.
set -euo pipefail

SERVERS=${TAGWHARF_TEST_SERVERS:-/usr/local/lib/tagwharf-test-servers}
LATER_SUITE=forky
export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "install_servers: $*"; }
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@"; }

[ "$(id -u)" = 0 ] || { say "needs root; run it with sudo" >&2; exit 1; }

wanted=()
command -v mosquitto >/dev/null || wanted+=(mosquitto)
command -v influxd >/dev/null || wanted+=(influxdb)
command -v tshark >/dev/null || wanted+=(tshark)
command -v npm >/dev/null || wanted+=(nodejs npm)
command -v chromium >/dev/null || wanted+=(chromium)
command -v strace >/dev/null || wanted+=(strace)
command -v ip >/dev/null || wanted+=(iproute2)
command -v nft >/dev/null || wanted+=(nftables)
[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ] || wanted+=(fonts-noto-cjk)

# Each peer is a program that somebody else wrote, in an environment of its own.
install_peers() {
    local peer
    for peer in "$(dirname "$0")"/peers/*/install.sh; do
        say "peer $(basename "$(dirname "$peer")")"
        bash "$peer"
    done
}

victoria_metrics_works() {
    local binary=$1
    [ -x "$binary" ] && "$binary" --help >/dev/null 2>&1
}

if [ ${#wanted[@]} = 0 ] && { victoria_metrics_works "$SERVERS/victoria-metrics" || command -v victoria-metrics >/dev/null; }; then
    say "all servers there"
    install_peers
    exit 0
fi

scratch=$(mktemp -d)
guard=/usr/sbin/policy-rc.d
made_guard=
cleanup() {
    rm -rf "$scratch"
    if [ -n "$made_guard" ]; then rm -f "$guard"; fi
}
trap cleanup EXIT

# A package's own service is not to start: the tests run their servers as processes of their own.
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    made_guard=yes
fi

add() {
    say "installing $*"
    apt install -y "$@" >"$scratch/log" 2>&1 </dev/null || { cat "$scratch/log" >&2; return 1; }
}

refreshed=
refresh() {
    # A foreign source of this machine may be down: what is missing shows when it is installed.
    [ -n "$refreshed" ] || apt update >"$scratch/log" 2>&1 || tail -3 "$scratch/log" >&2
    refreshed=yes
}

if [ ${#wanted[@]} -gt 0 ]; then
    refresh
    echo "wireshark-common wireshark-common/install-setuid boolean false" | debconf-set-selections
    add "${wanted[@]}"
fi

# Everything about the later suite stays in $scratch: sources, lists, cache.
later_victoria_metrics() {
    local mirror private
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
        awk '{ print $1; exit }')
    [ -n "$mirror" ] || return 1
    mkdir -p "$scratch/lists/partial" "$scratch/cache"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $LATER_SUITE main" >"$scratch/sources.list"
    private=(-o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o APT::Sandbox::User=root)
    apt "${private[@]}" update &&
        (cd "$scratch" && apt "${private[@]}" download victoria-metrics && dpkg -x victoria-metrics_*.deb unpacked) &&
        victoria_metrics_works "$scratch/unpacked/usr/bin/victoria-metrics" &&
        install -D -m 755 "$scratch/unpacked/usr/bin/victoria-metrics" "$SERVERS/victoria-metrics"
}

if ! victoria_metrics_works "$SERVERS/victoria-metrics"; then
    say "fetching victoria-metrics of $LATER_SUITE"
    refresh
    if ! later_victoria_metrics >"$scratch/log" 2>&1; then
        tail -3 "$scratch/log" >&2
        say "that failed; Debian 12's own victoria-metrics instead"
        command -v victoria-metrics >/dev/null || add victoria-metrics
    fi
fi
install_peers
say "done"
