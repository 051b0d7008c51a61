"""The options of kube-proxy, with its names and defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """The options of one node's proxy."""

    node_name: str
    """`--hostname-override`"""
    mode: str = "nftables"
    """`--proxy-mode`: nftables or iptables"""
    cluster_cidrs: tuple[str, ...] = ()
    """`--cluster-cidr`: the networks of pods"""
    versions: tuple[int, ...] = (4,)
    """Address families served."""
    masquerade_all: bool = False
    """`--masquerade-all`"""
    min_sync_seconds: float = 0.05
    """`--iptables-min-sync-period`: changes within this time are applied together"""
    sync_seconds: float = 30.0
    """`--iptables-sync-period`: the rules are checked at least this often"""
    netns: str | None = None
    """The network namespace to work in; None for that of the process"""
    iptables_backend: str = ""
    """`nft` or `legacy`; empty for the system's default"""
