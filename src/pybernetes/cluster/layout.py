"""Every path, name and address of a cluster, derived from its name and slot.

No I/O. No other module builds such paths, so `down` knows everything that a cluster can leave behind.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from pybernetes.cluster.names import LINK_MARK, MARK, check_cluster_name, check_node_name

STATE_ROOT = Path("/var/lib/pybernetes")
RUN_ROOT = Path("/run/pybernetes")
CACHE = ".cache"
"""A directory below the state root that is not a valid cluster name; removed with the last cluster."""

# Each slot has a /21 of this: seven racks with a /24 each, and the last /24 between host and router.
UNDERLAY_V4 = IPv4Network("10.89.0.0/16")
UNDERLAY_V6 = IPv6Network("fd00:89::/32")
SLOTS = 32
MAX_RACKS = 7
_TRANSIT_SEGMENT = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """One L2 segment of a cluster: a rack, or the transit between host and router.

    In a rack `.1` is the router; in the transit `.1` is the host and `.2` the router.
    """

    v4: IPv4Network
    v6: IPv6Network

    def v4_at(self, host: int) -> str:
        """The address with this host part, with its prefix length: '10.89.0.2/24'."""
        return f"{self.v4.network_address + host}/{self.v4.prefixlen}"

    def v6_at(self, host: int) -> str:
        """The IPv6 address with this host part, with its prefix length."""
        return f"{self.v6.network_address + host}/{self.v6.prefixlen}"


@dataclass(frozen=True, slots=True)
class NodePaths:
    """Directories, files and names of one local node."""

    cluster: str
    name: str
    state: Path
    """State that survives a stop: images, pod directories."""
    run: Path
    """Sockets and runtime state."""

    @property
    def netns(self) -> str:
        """Name of the node's network namespace, as `ip netns list` shows it."""
        # Names cannot contain a dot, so cluster "a" with node "b-c" differs from "a-b" with node "c".
        return f"{MARK}-{self.cluster}.{self.name}"

    @property
    def netns_path(self) -> Path:
        """The file for setns()."""
        return Path("/run/netns") / self.netns

    @property
    def cgroup(self) -> str:
        """The node's cgroup, relative to the root of each hierarchy. Pods are below it (`.../kubepods`)."""
        return f"/{MARK}/{self.cluster}/{self.name}"

    @property
    def daemons_cgroup(self) -> str:
        """The cgroup of containerd and the agent: a leaf, because cgroup v2 allows processes only in leaves."""
        return f"{self.cgroup}/daemons"

    @property
    def containerd_config(self) -> Path:
        """The generated config.toml."""
        return self.state / "containerd" / "config.toml"

    @property
    def containerd_root(self) -> Path:
        """Content store, snapshots, metadata."""
        return self.state / "containerd" / "root"

    @property
    def containerd_state(self) -> Path:
        """Bundles and mounts of running containers."""
        return self.run / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """The gRPC socket, also for CRI. Socket paths are limited to 107 characters."""
        return self.run / "containerd.sock"

    @property
    def runc_root(self) -> Path:
        """State of runc's containers."""
        return self.run / "runc"

    @property
    def cni_conf_dir(self) -> Path:
        """Network configuration lists, written by flannel."""
        return self.state / "cni" / "net.d"

    @property
    def cni_bin_dir(self) -> Path:
        """Executables of CNI plugins."""
        return self.state / "cni" / "bin"

    @property
    def cni_data_dir(self) -> Path:
        """Address reservations of host-local."""
        return self.state / "cni" / "networks"

    @property
    def kubelet_dir(self) -> Path:
        """The kubelet's root directory (pods, volumes, checkpoints)."""
        return self.state / "kubelet"

    @property
    def pod_logs_dir(self) -> Path:
        """Container logs: /var/log/pods on a machine."""
        return self.state / "log" / "pods"

    @property
    def subnet_env(self) -> Path:
        """flannel's subnet.env for the CNI plugin."""
        return self.run / "flannel" / "subnet.env"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths, names and addresses of one cluster. `slot` is unique on the machine."""

    cluster: str
    slot: int
    state_root: Path = STATE_ROOT
    run_root: Path = RUN_ROOT
    api_port: int = 6443
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    cluster_domain: str = "cluster.local"
    dns_ip: str = field(default="10.96.0.10")

    def __post_init__(self) -> None:
        """Reject names and slots that would give invalid kernel names."""
        check_cluster_name(self.cluster)
        if not 0 <= self.slot < SLOTS:
            raise ValueError(f"slot {self.slot} is outside 0..{SLOTS - 1}")

    # --- files ---------------------------------------------------------------------------------
    @property
    def state(self) -> Path:
        """State that survives a stop and a reboot."""
        return self.state_root / self.cluster

    @property
    def run(self) -> Path:
        """Sockets, pid files, locks."""
        return self.run_root / self.cluster

    @property
    def pki(self) -> Path:
        """Certificates and keys, in kubeadm's layout."""
        return self.state / "pki"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig per component: admin.conf, controller-manager.conf, ..."""
        return self.state / "kubeconfig"

    @property
    def store_db(self) -> Path:
        """The SQLite store."""
        return self.state / "store" / "store.db"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.state / "logs"

    @property
    def images(self) -> Path:
        """Image archives built on this machine; shared by all clusters."""
        return self.state_root / CACHE / "images"

    @property
    def supervisor_spec(self) -> Path:
        """The processes that the supervisor keeps running."""
        return self.state / "processes.json"

    @property
    def supervisor_run(self) -> Path:
        """The supervisor's lock, pid files and state."""
        return self.run / "supervisor"

    @property
    def registry(self) -> Path:
        """Slots and node addresses of all clusters of this machine."""
        return self.state_root / "clusters.json"

    def node(self, name: str) -> NodePaths:
        """Paths and names of one node."""
        check_node_name(name)
        return NodePaths(self.cluster, name, self.state / "nodes" / name, self.run / "nodes" / name)

    # --- names ---------------------------------------------------------------------------------
    @property
    def cgroup(self) -> str:
        """The parent cgroup of the cluster's processes."""
        return f"/{MARK}/{self.cluster}"

    @property
    def nft_table(self) -> str:
        """The cluster's nftables table in the host's namespace."""
        return f"{MARK}-{self.cluster}"

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context, cluster and user."""
        return f"{MARK}-{self.cluster}"

    @property
    def router_netns(self) -> str:
        """The namespace with the racks' bridges, which routes between them."""
        return f"{MARK}-{self.cluster}.router"

    @property
    def host_link(self) -> str:
        """The cluster's only link in the host's namespace, to the router."""
        return f"{LINK_MARK}{self.slot}host"

    @property
    def router_link(self) -> str:
        """The router's end of the host link."""
        return f"{LINK_MARK}{self.slot}up"

    def rack_bridge(self, rack: int) -> str:
        """The bridge of a rack, inside the router's namespace."""
        return f"{LINK_MARK}{self.slot}rack{rack}"

    def node_port(self, rack: int, number: int) -> str:
        """A node's port on its rack's bridge."""
        return f"{LINK_MARK}{self.slot}r{rack}n{number}"

    # --- addresses -----------------------------------------------------------------------------
    @property
    def underlay_v4(self) -> IPv4Network:
        """The IPv4 network of the cluster's nodes and router."""
        return IPv4Network((int(UNDERLAY_V4.network_address) + (self.slot << 11), 21))

    @property
    def underlay_v6(self) -> IPv6Network:
        """The IPv6 network of the cluster's nodes and router."""
        return IPv6Network((int(UNDERLAY_V6.network_address) + (self.slot << 80), 48))

    def rack(self, rack: int) -> Segment:
        """The segment of a rack, counted from 0."""
        if not 0 <= rack < MAX_RACKS:
            raise ValueError(f"rack {rack} is outside 0..{MAX_RACKS - 1}")
        return self._segment(rack)

    @property
    def transit(self) -> Segment:
        """The segment between host (.1) and router (.2)."""
        return self._segment(_TRANSIT_SEGMENT)

    def _segment(self, number: int) -> Segment:
        return Segment(
            IPv4Network((int(self.underlay_v4.network_address) + (number << 8), 24)),
            IPv6Network((int(self.underlay_v6.network_address) + (number << 64), 64)),
        )

    @property
    def host_address(self) -> IPv4Address:
        """The address at which nodes reach the host, and so the API server."""
        return self.transit.v4.network_address + 1

    @property
    def api_url_for_nodes(self) -> str:
        """The API server as seen from a node."""
        return f"https://{self.host_address}:{self.api_port}"

    @property
    def api_url_for_host(self) -> str:
        """The API server as seen by kubectl on this machine."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def service_address(self) -> IPv4Address:
        """ClusterIP of the Service default/kubernetes: the first of the range."""
        return IPv4Network(self.service_cidr).network_address + 1
