"""The kube subnet manager: a node's subnet is its podCIDR, its lease's attributes are annotations on the Node.

Names of annotations and of the condition are those of Go flannel, so that both can share a network.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pybernetes.api.core.node import Node
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.leases.backend_data import from_json, to_json
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.lease import LeaseError as LeaseError

PREFIX = "flannel.alpha.coreos.com/"
#: Calico's name for what makes a node a route reflector; the bgp backend knows it by the part after the slash.
CLUSTER_ID = "projectcalico.org/RouteReflectorClusterID"
_PREFIX = re.compile(r"([a-z0-9_-]+\.)+[a-z0-9_-]+/([a-z0-9_-]+-)?")


class Names:
    """The names of the annotations. A cluster with more than one flannel network gives each its own prefix."""

    def __init__(self, prefix: str = PREFIX) -> None:
        """`prefix` is as `--kube-annotation-prefix` has it. Raises ValueError for one that no annotation can have."""
        self.prefix = prefix + "/" if "/" not in prefix else prefix
        if not self.prefix.endswith(("/", "-")):
            self.prefix += "-"
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ValueError(f"{prefix!r} can't begin an annotation; write one such as flannel.alpha.coreos.com")
        self.backend_type = self.prefix + "backend-type"
        self.kube_subnet_manager = self.prefix + "kube-subnet-manager"
        self.backend_data = {4: self.prefix + "backend-data", 6: self.prefix + "backend-v6-data"}
        self.public_ip = {4: self.prefix + "public-ip", 6: self.prefix + "public-ipv6"}
        self.overwrite = {4: self.prefix + "public-ip-overwrite", 6: self.prefix + "public-ipv6-overwrite"}


USUAL = Names()
BACKEND_TYPE, KUBE_SUBNET_MANAGER = USUAL.backend_type, USUAL.kube_subnet_manager
BACKEND_DATA, PUBLIC_IP, OVERWRITE = USUAL.backend_data, USUAL.public_ip, USUAL.overwrite

NO_SUBNET = "the node has no podCIDR: is the controller manager run with --allocate-node-cidrs and --cluster-cidr?"


def subnets(node: Node, config: NetworkConfig) -> dict[int, Any]:
    """The node's podCIDRs by family; those of families that are not enabled are left out. Raises LeaseError."""
    found: dict[int, Any] = {}
    for text in node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else []):
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise LeaseError(f"podCIDR {text!r}: {error}") from error
        if config.family(network.version) is not None:
            found[network.version] = network
    return found


def lease_of(node: Node, config: NetworkConfig, names: Names = USUAL) -> Lease | None:
    """The lease in a node's annotations; None while it has none. Raises LeaseError if it is malformed."""
    notes = node.metadata.annotations
    if notes.get(names.kube_subnet_manager) != "true":
        return None
    families = []
    for version, subnet in sorted(subnets(node, config).items()):
        key = names.overwrite[version] if notes.get(names.overwrite[version]) else names.public_ip[version]
        if key not in notes:
            continue
        data = dict(_data(notes, version, names))
        if CLUSTER_ID in notes:
            data[CLUSTER_ID.partition("/")[2]] = notes[CLUSTER_ID]
        families.append(FamilyLease(subnet, _address(key, notes[key], version), data))
    if not families:
        return None
    return Lease(node.metadata.name, notes.get(names.backend_type, "").lower(), tuple(families))


def overwritten(node: Node, names: Names = USUAL) -> dict[int, Any]:
    """The public addresses that an administrator gave this node, by family.

    They are written to `public-ip` too, as Go flanneld does, whose peers read only that. Invalid values are ignored
    here: every node reports them as a malformed lease.
    """
    notes = node.metadata.annotations
    found = {}
    for version, key in names.overwrite.items():
        with suppress(LeaseError):
            if notes.get(key):
                found[version] = _address(key, notes[key], version)
    return found


def _address(key: str, text: str, version: int) -> Any:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise LeaseError(f"annotation {key}: {error}") from error
    if address.version != version or address.is_unspecified or address.is_loopback or address.is_multicast:
        raise LeaseError(f"annotation {key}: {text} is not an IPv{version} address that a peer can have")
    return address


def _data(notes: Mapping[str, str], version: int, names: Names) -> Mapping[str, Any]:
    key = names.backend_data[version]
    text = notes.get(key, "")
    if text == "":
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LeaseError(f"annotation {key} is not JSON: {error}") from error
    return from_json(data, f"annotation {key}")


def annotations(lease: Lease, names: Names = USUAL) -> dict[str, str]:
    """A lease as annotations of its Node."""
    notes = {names.kube_subnet_manager: "true", names.backend_type: lease.backend}
    for family in lease.families:
        version = family.subnet.version
        notes[names.public_ip[version]] = str(family.public_ip)
        notes[names.backend_data[version]] = json.dumps(to_json(family.data), separators=(",", ":"))
    return notes


def condition(now: str) -> dict[str, str]:
    """The node condition that says that the network is available."""
    return {
        "type": "NetworkUnavailable",
        "status": "False",
        "reason": "FlannelIsUp",
        "message": "Flannel is running on this node",
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }


def announced(node: Node, names: Names = USUAL) -> dict[int, Mapping[str, Any]]:
    """The backend data that this node announced before, by family; malformed data is left out."""
    found = {}
    for version in names.backend_data:
        try:
            found[version] = _data(node.metadata.annotations, version, names)
        except LeaseError:
            continue
    return found
