"""What kube-proxy is told at start, with the original's names and defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """A node's Service proxy."""

    node_name: str
    """`--hostname-override`"""
    mode: str = "nftables"
    """`--proxy-mode`: nftables or iptables"""
    cluster_cidrs: tuple[str, ...] = ()
    """`--cluster-cidr`: where pods live"""
    versions: tuple[int, ...] = (4,)
    """Address families served."""
    masquerade_all: bool = False
    """`--masquerade-all`"""
    min_sync_seconds: float = 0.05
    """`--iptables-min-sync-period`: changes that come within this time are applied together"""
    sync_seconds: float = 30.0
    """`--iptables-sync-period`: a full check at least this often"""
    netns: str | None = None
    """Network namespace to work in; None: the process's own"""
    iptables_backend: str = ""
    """`nft` or `legacy`; empty: the system's default"""
