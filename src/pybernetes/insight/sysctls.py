"""Names of the sysctls that matter to the pod network."""

FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
BRIDGE_FILTER = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
CONNTRACK_COUNT, CONNTRACK_MAX = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"


def reverse_path(name: str) -> str:
    """The sysctl for reverse path filtering on a link, or on `all` links."""
    return f"net/ipv4/conf/{name}/rp_filter"
