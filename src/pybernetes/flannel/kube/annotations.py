"""The kube subnet manager: a node's subnet is its podCIDR, its lease's attributes are annotations on the Node.

Names of annotations and of the condition are the original's, so that Go flannel and this one share a network.
"""

import ipaddress
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pybernetes.api.core.node import Node
from pybernetes.flannel.backend_data import from_json, to_json
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.lease import FamilyLease, Lease
from pybernetes.flannel.lease import LeaseError as LeaseError

PREFIX = "flannel.alpha.coreos.com/"
BACKEND_TYPE = PREFIX + "backend-type"
KUBE_SUBNET_MANAGER = PREFIX + "kube-subnet-manager"
BACKEND_DATA = {4: PREFIX + "backend-data", 6: PREFIX + "backend-v6-data"}
PUBLIC_IP = {4: PREFIX + "public-ip", 6: PREFIX + "public-ipv6"}
OVERWRITE = {4: PREFIX + "public-ip-overwrite", 6: PREFIX + "public-ipv6-overwrite"}

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


def lease_of(node: Node, config: NetworkConfig) -> Lease | None:
    """The lease that a node's annotations tell of; None while it has none yet. Raises LeaseError for garbage."""
    notes = node.metadata.annotations
    if notes.get(KUBE_SUBNET_MANAGER) != "true":
        return None
    families = []
    for version, subnet in sorted(subnets(node, config).items()):
        key = OVERWRITE[version] if notes.get(OVERWRITE[version]) else PUBLIC_IP[version]
        if key not in notes:
            continue
        families.append(FamilyLease(subnet, _address(key, notes[key], version), _data(notes, version)))
    if not families:
        return None
    return Lease(node.metadata.name, notes.get(BACKEND_TYPE, "").lower(), tuple(families))


def overwritten(node: Node) -> dict[int, Any]:
    """The public addresses that an administrator gave this node, by family.

    They go into `public-ip` too, as with the original, which has peers read only that. Garbage counts as nothing
    here: everybody reports it as a fault of the lease, and this node's data path goes on.
    """
    notes = node.metadata.annotations
    found = {}
    for version, key in OVERWRITE.items():
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


def _data(notes: Mapping[str, str], version: int) -> Mapping[str, Any]:
    text = notes.get(BACKEND_DATA[version], "")
    if text == "":
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LeaseError(f"annotation {BACKEND_DATA[version]} is not JSON: {error}") from error
    return from_json(data, f"annotation {BACKEND_DATA[version]}")


def annotations(lease: Lease) -> dict[str, str]:
    """What a lease looks like on its Node."""
    notes = {KUBE_SUBNET_MANAGER: "true", BACKEND_TYPE: lease.backend}
    for family in lease.families:
        version = family.subnet.version
        notes[PUBLIC_IP[version]] = str(family.public_ip)
        notes[BACKEND_DATA[version]] = json.dumps(to_json(family.data), separators=(",", ":"))
    return notes


def condition(now: str) -> dict[str, str]:
    """The node condition that says that the network is there."""
    return {
        "type": "NetworkUnavailable",
        "status": "False",
        "reason": "FlannelIsUp",
        "message": "Flannel is running on this node",
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }


def announced(node: Node) -> dict[int, Mapping[str, Any]]:
    """The backend data that this node told its peers before, by family; garbage counts as nothing."""
    found = {}
    for version in BACKEND_DATA:
        try:
            found[version] = _data(node.metadata.annotations, version)
        except LeaseError:
            continue
    return found
