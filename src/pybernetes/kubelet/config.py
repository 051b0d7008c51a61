"""The kubelet's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.api.core.node import Taint
from pybernetes.api.wellknown import GROUP_MASTERS


class ConfigError(Exception):
    """The configuration is invalid; the message names the field and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """The configuration of one kubelet. Call `check` once before using it."""

    node_name: str
    """Name of the Node object, a lower-case DNS subdomain."""
    node_ips: tuple[str, ...]
    """Addresses of the node, primary first. They become the Node's InternalIP and the pods' hostIP."""
    root_dir: Path = Path("/var/lib/kubelet")
    """Directory for pods' files and volumes."""
    pod_logs_dir: Path = Path("/var/log/pods")
    """Directory for containers' logs."""
    runtime_endpoint: str = "/run/containerd/containerd.sock"
    """Path of the runtime's CRI socket."""
    cgroup_root: str = "/"
    """The cgroup that contains `kubepods`, in every hierarchy."""
    cgroups_per_qos: bool = True
    """Create a cgroup per QoS class and per pod. If False, the runtime's default applies."""
    cluster_dns: tuple[str, ...] = ()
    """Nameservers of pods with dnsPolicy ClusterFirst."""
    cluster_domain: str = "cluster.local"
    """Domain of Services."""
    resolv_conf: Path = Path("/etc/resolv.conf")
    """The node's resolver configuration, for pods with dnsPolicy Default."""
    max_pods: int = 110
    """How many pods can run on this node."""
    static_pod_path: Path | None = None
    """Directory with the manifests of static pods."""
    address: str = "0.0.0.0"
    """Address to listen on."""
    port: int = 10250
    """Port of the HTTPS server; 0 picks a free one."""
    serve: bool = True
    """Run the HTTPS server. Simulated nodes do not."""
    tls_cert_file: Path | None = None
    """Serving certificate. If absent, the kubelet makes a self-signed one."""
    tls_key_file: Path | None = None
    """Key of the serving certificate."""
    client_ca_file: Path | None = None
    """CA of client certificates. Without it, the server answers health checks only."""
    authorized_users: tuple[str, ...] = ("kube-apiserver-kubelet-client", "system:kube-apiserver")
    """Users, by the certificate's common name, that may make any request."""
    authorized_groups: tuple[str, ...] = (GROUP_MASTERS, "kubeadm:cluster-admins")
    """Groups, by the certificate's organizations, that may make any request."""
    node_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels to register the Node with."""
    taints: tuple[Taint, ...] = ()
    """Taints to register the Node with."""
    register_node: bool = True
    """Create the Node object if it does not exist."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """Overrides the machine's cpu, memory and ephemeral-storage, so that several nodes can share one machine."""
    reserved: Mapping[str, str] = field(default_factory=dict)
    """Resources that pods cannot use: allocatable is capacity minus this."""
    kubelet_version: str = "v1.34.0+pybernetes"
    """nodeInfo.kubeletVersion"""
    pod_cidr: str = ""
    """spec.podCIDR to register the Node with. If empty, the node IPAM controller allocates one."""
    lease_duration: int = 40
    """Seconds for which the node's lease is valid. It is renewed four times in that period."""
    lease_phase: float = 1.0
    """Fraction of the renewal period to wait before the first renewal, to spread kubelets that start together."""
    status_period: float = 300.0
    """Seconds between reports of an unchanged node status."""
    status_check_period: float = 10.0
    """Seconds between checks of the node's state."""
    image_gc_high_percent: int = 85
    """Usage of the image filesystem, in per cent, that starts image garbage collection."""
    image_gc_low_percent: int = 80
    """Usage, in per cent, at which image garbage collection stops."""
    image_minimum_age: float = 120.0
    """Minimum age of an unused image, in seconds, before it is removed."""
    log_max_size: int = 10 << 20
    """Size of a container's log, in bytes, at which it is rotated."""
    log_max_files: int = 5
    """Number of files kept per log."""
    max_pulls: int = 2
    """Number of images pulled at the same time."""
    sync_period: float = 60.0
    """Seconds after which a pod is synchronized even if nothing changed."""

    def check(self) -> None:
        """Raise ConfigError for invalid settings."""
        if not self.node_name or self.node_name != self.node_name.lower():
            raise ConfigError(f"node_name {self.node_name!r}: give a lower-case name (--hostname-override)")
        if not self.node_ips:
            raise ConfigError("node_ips is empty: give the node's address (--node-ip)")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}: give one from 0 to 65535 (--port)")
        if not 0 < self.image_gc_low_percent <= self.image_gc_high_percent <= 100:
            raise ConfigError(
                f"image_gc_low_percent {self.image_gc_low_percent} and image_gc_high_percent "
                f"{self.image_gc_high_percent}: the low percentage must not exceed the high one"
            )
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ConfigError("tls_cert_file and tls_key_file: give both or neither")
        if self.max_pods <= 0 or self.log_max_files < 2:
            raise ConfigError("max_pods must be above 0 and log_max_files above 1")

    @property
    def node_ip(self) -> str:
        """The node's primary address."""
        return self.node_ips[0]
