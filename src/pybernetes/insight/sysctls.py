"""Names of the kernel settings that matter to the pod network."""

FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
BRIDGE_FILTER = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
CONNECTIONS, MOST_CONNECTIONS = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"


def reverse_path(name: str) -> str:
    """The setting that says whether a link, or `all`, drops what its answer would not leave by."""
    return f"net/ipv4/conf/{name}/rp_filter"
