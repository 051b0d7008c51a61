"""What a kubelet is told at its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.api.core.node import Taint


class ConfigError(Exception):
    """The configuration cannot work; the message names the field and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """Everything that differs between nodes. Checked once, by `check`."""

    node_name: str
    """Name of the Node object; lower-case DNS subdomain."""
    node_ips: tuple[str, ...]
    """Addresses of the node, primary first; become InternalIP and pods' hostIP."""
    root_dir: Path = Path("/var/lib/kubelet")
    """Pods' directories and volumes."""
    pod_logs_dir: Path = Path("/var/log/pods")
    """Containers' logs."""
    runtime_endpoint: str = "/run/containerd/containerd.sock"
    """The runtime's CRI socket."""
    cgroup_root: str = "/"
    """Parent of `kubepods` in every hierarchy."""
    cgroups_per_qos: bool = True
    """Whether to make a cgroup per QoS class and pod; False leaves it to the runtime."""
    cluster_dns: tuple[str, ...] = ()
    """Nameservers of pods with dnsPolicy ClusterFirst."""
    cluster_domain: str = "cluster.local"
    """Domain of Services."""
    resolv_conf: Path = Path("/etc/resolv.conf")
    """The node's own resolver configuration, for dnsPolicy Default."""
    max_pods: int = 110
    """Capacity for pods."""
    static_pod_path: Path | None = None
    """Directory of manifests to run without an API server."""
    address: str = "0.0.0.0"
    """Address to listen on."""
    port: int = 10250
    """Port of the HTTPS server; 0 picks one, None serves nothing."""
    serve: bool = True
    """Whether to serve HTTPS at all; simulated nodes do not."""
    tls_cert_file: Path | None = None
    """Serving certificate; made from `ca_cert_file` and `ca_key_file`, or self-signed, when absent."""
    tls_key_file: Path | None = None
    """Its key."""
    client_ca_file: Path | None = None
    """Authority of clients' certificates; without it nobody but anonymous health checks is served."""
    authorized_users: tuple[str, ...] = ("kube-apiserver-kubelet-client", "system:kube-apiserver")
    """Common names of client certificates that may do everything."""
    authorized_groups: tuple[str, ...] = ("system:masters", "kubeadm:cluster-admins")
    """Organizations of client certificates that may do everything."""
    node_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels to register with."""
    taints: tuple[Taint, ...] = ()
    """Taints to register with."""
    register_node: bool = True
    """Whether to create the Node object."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """Overrides of what the machine has: cpu, memory, ephemeral-storage; for several nodes on one machine."""
    reserved: Mapping[str, str] = field(default_factory=dict)
    """What is kept from pods: allocatable is capacity less this."""
    kubelet_version: str = "v1.34.0+pybernetes"
    """nodeInfo.kubeletVersion"""
    pod_cidr: str = ""
    """spec.podCIDR to register with; empty leaves it to the controller that allocates them."""
    lease_duration: int = 40
    """Seconds that a node's lease holds; it is renewed every quarter of that."""
    lease_phase: float = 1.0
    """Part of the renewal period before the first renewal; kubelets that start together differ in it."""
    status_period: float = 300.0
    """Seconds between reports of an unchanged node status."""
    status_check_period: float = 10.0
    """Seconds between looks at the node's state."""
    image_gc_high_percent: int = 85
    """Use of the image filesystem that starts the removal of images."""
    image_gc_low_percent: int = 80
    """Use at which it stops."""
    image_minimum_age: float = 120.0
    """Seconds that an unused image is kept at least."""
    log_max_size: int = 10 << 20
    """Bytes at which a container's log is rotated."""
    log_max_files: int = 5
    """Files kept of one log."""
    max_pulls: int = 2
    """Images fetched at the same time."""
    sync_period: float = 60.0
    """Seconds after which a pod is looked at although nothing is known to have changed."""

    def check(self) -> None:
        """Raise ConfigError for what cannot work."""
        if not self.node_name or self.node_name != self.node_name.lower():
            raise ConfigError(f"node_name {self.node_name!r}: give a lower-case name (--hostname-override)")
        if not self.node_ips:
            raise ConfigError("node_ips is empty: give the node's address (--node-ip)")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}: give one from 0 to 65535 (--port)")
        if not 0 < self.image_gc_low_percent <= self.image_gc_high_percent <= 100:
            raise ConfigError(
                f"image_gc_low_percent {self.image_gc_low_percent} and image_gc_high_percent "
                f"{self.image_gc_high_percent}: the low one must not be above the high one"
            )
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ConfigError("tls_cert_file and tls_key_file belong together: give both or neither")
        if self.max_pods <= 0 or self.log_max_files < 2:
            raise ConfigError("max_pods must be above 0 and log_max_files above 1")

    @property
    def node_ip(self) -> str:
        """The primary address."""
        return self.node_ips[0]
