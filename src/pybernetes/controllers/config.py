"""Settings of the controllers: one section per controller, from which the flags of `pybernetes controller-manager`
are made.

A section is a frozen dataclass that a controller names in `Controller.settings`. A field made with `setting` is a
flag of kube-controller-manager, with its name and default; other fields are for programs. Units are seconds.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

S = TypeVar("S", bound="Section")

Form = Literal["bool", "count", "duration", "rate", "share", "prefix", "cidrs"]
"""How a flag is written: a duration as `1m30s`; a share lies between 0 and 1; a prefix is a length in bits."""

_KEY = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """The flag of a field."""

    flag: str
    """without the dashes"""
    form: Form
    help: str
    default: Any


def setting(default: Any, flag: str, form: Form, help: str) -> Any:
    """A field that is a flag."""
    return field(default=default, metadata={_KEY: Setting(flag, form, help, default)})


def workers(default: int, flag: str, what: str) -> Any:
    """The field `workers` as a flag: how many keys a controller reconciles at the same time."""
    return setting(default, flag, "count", f"{what} that are reconciled at the same time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Settings of one controller."""

    workers: int = 5
    """how many keys are reconciled at the same time"""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"{type(self).__name__}: at least one worker is needed, not {self.workers}")


def flags_of(section: type[Section]) -> list[tuple[str, Setting]]:
    """The flags of a section, with the names of their fields."""
    return [(one.name, one.metadata[_KEY]) for one in fields(section) if _KEY in one.metadata]


class Config:
    """The sections of a process. A section that is not given has its defaults."""

    def __init__(self, *sections: Section) -> None:
        self._sections = {type(section): section for section in sections}

    def of(self, section: type[S]) -> S:
        """The section of a controller."""
        found = self._sections.get(section)
        return found if isinstance(found, section) else section()


@dataclass(frozen=True, slots=True, kw_only=True)
class RootCAConfig(Section):
    """Shared by the publisher of the root CA and by the tokens of service accounts."""

    root_ca: str = ""
    """PEM: published in each namespace and put into token secrets"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceConfig(Section):
    """namespace-controller"""

    workers: int = workers(10, "concurrent-namespace-syncs", "Namespaces")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountTokenConfig(Section):
    """serviceaccount-token-controller"""

    workers: int = workers(5, "concurrent-serviceaccount-token-syncs", "Token Secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig(Section):
    """deployment-controller"""

    workers: int = workers(5, "concurrent-deployment-syncs", "Deployments")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSetConfig(Section):
    """replicaset-controller"""

    workers: int = workers(5, "concurrent-replicaset-syncs", "ReplicaSets")
    burst_replicas: int = 500
    """the most pods that one pass creates or deletes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationControllerConfig(Section):
    """replicationcontroller-controller"""

    workers: int = workers(5, "concurrent-rc-syncs", "ReplicationControllers")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSetConfig(Section):
    """daemonset-controller"""

    workers: int = workers(2, "concurrent-daemonset-syncs", "DaemonSets")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsConfig(Section):
    """endpoints-controller"""

    workers: int = workers(5, "concurrent-endpoint-syncs", "Services that get Endpoints")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSliceConfig(Section):
    """endpointslice-controller"""

    workers: int = workers(5, "concurrent-service-endpoint-syncs", "Services that get EndpointSlices")
    max_endpoints: int = setting(100, "max-endpoints-per-slice", "count", "Endpoints in one EndpointSlice at most.")

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not 1 <= self.max_endpoints <= 1000:
            raise ValueError(f"max-endpoints-per-slice must be between 1 and 1000, not {self.max_endpoints}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSliceMirroringConfig(Section):
    """endpointslice-mirroring-controller"""

    workers: int = workers(5, "mirroring-concurrent-service-endpoint-syncs", "Endpoints that are mirrored")
    max_endpoints: int = setting(
        1000, "mirroring-max-endpoints-per-subset", "count", "Endpoints of one subset that are mirrored at most."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIpamConfig(Section):
    """node-ipam-controller"""

    cluster_cidrs: tuple[str, ...] = setting((), "cluster-cidr", "cidrs", "Networks of pods, one per address family.")
    allocate_node_cidrs: bool = setting(
        False, "allocate-node-cidrs", "bool", "Give each node a subnet of --cluster-cidr."
    )
    mask_size: int = setting(0, "node-cidr-mask-size", "prefix", "Prefix length of a node's subnet, with one family.")
    mask_size_ipv4: int = setting(24, "node-cidr-mask-size-ipv4", "prefix", "The same for IPv4, with two.")
    mask_size_ipv6: int = setting(64, "node-cidr-mask-size-ipv6", "prefix", "The same for IPv6.")

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not 0 < self.mask_size_ipv4 <= 32:
            raise ValueError(f"node-cidr-mask-size-ipv4 must be 1 to 32, not {self.mask_size_ipv4}")
        if not 0 < self.mask_size_ipv6 <= 128:
            raise ValueError(f"node-cidr-mask-size-ipv6 must be 1 to 128, not {self.mask_size_ipv6}")
        if len(self.cluster_cidrs) > 2:
            raise ValueError(f"cluster-cidr takes one range per IP family, not {len(self.cluster_cidrs)} ranges")
        if self.allocate_node_cidrs and not self.cluster_cidrs:
            raise ValueError("allocate-node-cidrs needs --cluster-cidr, the network to take the nodes' subnets from")
        if self.mask_size and len(self.cluster_cidrs) > 1:
            raise ValueError(
                "node-cidr-mask-size goes with one family; with two use --node-cidr-mask-size-ipv4 and -ipv6"
            )

    def mask(self, version: int) -> int:
        """The prefix length of a node's subnet in a family, 4 or 6."""
        return self.mask_size or (self.mask_size_ipv4 if version == 4 else self.mask_size_ipv6)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLifecycleConfig(Section):
    """node-lifecycle-controller"""

    monitor_period: float = setting(5.0, "node-monitor-period", "duration", "How often the health of nodes is checked.")
    monitor_grace_period: float = setting(
        50.0, "node-monitor-grace-period", "duration", "Silence after which a node is unreachable."
    )
    startup_grace_period: float = setting(
        60.0, "node-startup-grace-period", "duration", "The same for a node that has never reported."
    )
    eviction_rate: float = setting(0.1, "node-eviction-rate", "rate", "Nodes emptied per second in a healthy zone.")
    secondary_eviction_rate: float = setting(
        0.01, "secondary-node-eviction-rate", "rate", "The same where many nodes are down."
    )
    unhealthy_zone_threshold: float = setting(
        0.55, "unhealthy-zone-threshold", "share", "Part of nodes down that makes a zone unhealthy."
    )
    large_cluster_size: int = setting(
        50, "large-cluster-size-threshold", "count", "Smaller unhealthy zones are not emptied."
    )

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ValueError(f"unhealthy-zone-threshold must be between 0 and 1, not {self.unhealthy_zone_threshold}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGCConfig(Section):
    """pod-garbage-collector-controller"""

    workers: int = 1
    threshold: int = setting(12500, "terminated-pod-gc-threshold", "count", "Ended pods kept at most.")
    period: float = 20.0
    """seconds between two runs"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollectorConfig(Section):
    """garbage-collector-controller"""

    workers: int = workers(20, "concurrent-gc-syncs", "Objects")
