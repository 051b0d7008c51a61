"""flanneld's options: the flags of Go flanneld as a frozen value."""

from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.flannel.config import IPNetwork
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.subnet_file import DEFAULT_PATH

DEFAULT_NET_CONF = Path("/etc/kube-flannel/net-conf.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlannelOptions:
    """The defaults are those of Go flanneld."""

    node_name: str
    """`NODE_NAME`: the name of this node."""
    net_conf: Path = DEFAULT_NET_CONF
    """`--net-config-path`; read again when it changes"""
    subnet_file: Path = DEFAULT_PATH
    """`--subnet-file`"""
    selection: Selection = field(default_factory=Selection)
    """`--iface`, `--iface-regex`, `--iface-can-reach`, `--public-ip`, `--public-ipv6`"""
    services: tuple[IPNetwork, ...] = ()
    """The range of Services, if it is known at start."""
    ip_masq: bool = True
    """`--ip-masq`"""
    forward_rules: bool = True
    """`--iptables-forward-rules`"""
    random_ports: bool = True
    """not `--ip-masq-fully-random-disable`"""
    blackhole: bool = False
    """`--ip-blackhole-route`"""
    annotation_prefix: str = "flannel.alpha.coreos.com"
    """`--kube-annotation-prefix`"""
    set_condition: bool = True
    """`--set-node-network-unavailable`"""
    rules_seconds: float = 5.0
    """`--iptables-resync`: how often rules in iptables are checked"""
    wireguard_key: Path | None = None
    """File with the node's WireGuard key; None: $WIREGUARD_KEY_FILE, else `wgkey` in the folder of the subnet file"""
    netns: str | None = None
    """Network namespace to work in; None: the process's own"""
    resync_seconds: float = 60.0
    """Interval between passes without any event."""
    linger_seconds: float = 15.0
    """How long the receiving side of a backend stays after the last lease that announced it has changed or gone."""
