#!/bin/sh
# Installs what is missing: Debian packages, kubectl, and the virtual environment in .venv.
# Usage: tools/install.sh [dev]
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# command:package, for every program that a cluster or a test runs
wanted="containerd:containerd runc:runc catatonit:catatonit busybox:busybox-static ip:iproute2 bridge:iproute2
nsenter:util-linux nft:nftables iptables:iptables ipset:ipset conntrack:conntrack"
if [ "${1:-}" = dev ]; then
    wanted="$wanted ping:iputils-ping dig:bind9-dnsutils etcd:etcd-server etcdctl:etcd-client tcpdump:tcpdump
dnsmasq:dnsmasq-base curl:curl ethtool:ethtool pgrep:procps systemd-analyze:systemd
/usr/lib/cni/bridge:containernetworking-plugins
bird:bird2 charon-systemd:charon-systemd charon-systemd:libstrongswan-standard-plugins
qemu-system-x86_64:qemu-system-x86"
fi

missing=""
PATH="$PATH:/usr/sbin:/sbin"
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
command -v kubectl >/dev/null 2>&1 || missing="$missing kubernetes-client"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v python3 >/dev/null 2>&1 || missing="$missing python3"

if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root apt-get update -q >/dev/null
    # Do not start the services of packages: each node runs its own containerd.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
    # Theirs would hold the ports that a node of the ipsec backend needs on this machine.
    case "$missing" in
    *charon-systemd*) [ ! -d /run/systemd/system ] || as_root systemctl disable --now -q strongswan.service ;;
    esac
fi

# The kernel of virtual machines is unpacked where it is found again, and never installed as this machine's own.
kernel="${XDG_CACHE_HOME:-$HOME/.cache}/pybernetes/vm-kernel"
if [ "${1:-}" = dev ] && ! ls "$kernel"/boot/vmlinuz-* >/dev/null 2>&1; then
    # Nothing else may have been missing, and the lists of packages never fetched or long outdated.
    as_root apt-get update -q >/dev/null
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    echo "unpacking $package for virtual machines"
    fresh=$(mktemp -d)
    (cd "$fresh" && apt-get download -q "$package" >/dev/null)
    rm -rf "$kernel.new"
    mkdir -p "$kernel.new"
    dpkg-deb -x "$fresh"/*.deb "$kernel.new"
    rm -rf "$kernel" "$fresh"
    mv "$kernel.new" "$kernel"
fi

lock=requirements.lock
[ "${1:-}" = dev ] && lock=requirements-dev.lock
stamp=".venv/.installed-${1:-run}"
if [ ! -f "$stamp" ] || [ "$lock" -nt "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "installing Python packages from $lock"
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check -r "$lock"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
    touch "$stamp"
fi
