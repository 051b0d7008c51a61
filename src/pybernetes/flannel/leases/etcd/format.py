"""A lease in etcd, in the format of Go flannel: the key is the subnet, the value says which node has it.

    /coreos.com/network/subnets/10.5.34.0-24
    /coreos.com/network/subnets/10.5.34.0-24&fd00:0:0:22::-64
    {"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"…"}}

A node with only IPv6 has `0.0.0.0-0` in place of an IPv4 subnet, and `0.0.0.0` as its PublicIP.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pybernetes.flannel.config import IPAddress, IPNetwork
from pybernetes.flannel.leases.backend_data import from_json, to_json
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError

_KEY = re.compile(r"(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([0-9A-Fa-f:.]+)-(\d+))?")
_PUBLIC = {4: "PublicIP", 6: "PublicIPv6"}
_DATA = {4: "BackendData", 6: "BackendV6Data"}


@dataclass(frozen=True, slots=True)
class Record:
    """A decoded value."""

    backend: str
    public: Mapping[int, IPAddress]
    data: Mapping[int, Mapping[str, Any]]


def key_of(subnets: Mapping[int, IPNetwork]) -> str:
    """The last part of a lease's key."""
    v4, v6 = subnets.get(4), subnets.get(6)
    first = f"{v4.network_address}-{v4.prefixlen}" if v4 else "0.0.0.0-0"
    return f"{first}&{v6.network_address}-{v6.prefixlen}" if v6 else first


def parse_key(name: str) -> dict[int, IPNetwork]:
    """The subnets of a key's last part. Raises LeaseError."""
    match = _KEY.fullmatch(name)
    if match is None:
        raise LeaseError("the key is not a subnet such as 10.5.34.0-24 or 10.5.34.0-24&fd00:5:0:22::-64")
    first, length, second, length6 = match.groups()
    found: dict[int, IPNetwork] = {}
    try:
        if f"{first}-{length}" != "0.0.0.0-0":
            found[4] = ipaddress.IPv4Network((first, int(length)))
        if second:
            found[6] = ipaddress.IPv6Network((second, int(length6)))
    except ValueError as error:
        raise LeaseError(f"the key is not a subnet: {error}") from error
    if not found:
        raise LeaseError("the key has neither an IPv4 nor an IPv6 subnet")
    return found


def value_of(lease: Lease) -> bytes:
    """The value of our lease, byte for byte as Go flanneld would write it."""
    parts = {part.subnet.version: part for part in lease.families}
    v4, v6 = parts.get(4), parts.get(6)
    value: dict[str, Any] = {
        "PublicIP": str(v4.public_ip) if v4 else "0.0.0.0",
        "PublicIPv6": str(v6.public_ip) if v6 else None,
        "BackendType": lease.backend,
    }
    for version, part in sorted(parts.items()):
        data = to_json(part.data)
        if data is not None:
            value[_DATA[version]] = data
    return json.dumps(value, separators=(",", ":")).encode()


def parse_value(value: bytes) -> Record:
    """Decode a value. Raises LeaseError. Names are matched without regard to case, as in Go."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise LeaseError(f"the value is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise LeaseError(f"the value must be a JSON object, found {value[:60]!r}")
    fields = {str(name).lower(): content for name, content in document.items()}
    public = {}
    for version, name in _PUBLIC.items():
        address = _address(name, fields.get(name.lower()), version)
        if address is not None:
            public[version] = address
    if not public:
        raise LeaseError("the value has no PublicIP")
    data = {version: from_json(fields.get(name.lower()), name) for version, name in _DATA.items()}
    backend = fields.get("backendtype", "")
    return Record(backend.lower() if isinstance(backend, str) else str(backend)[:40], public, data)


def _address(name: str, value: object, version: int) -> IPAddress | None:
    if value in (None, "", "0.0.0.0", "::"):
        return None
    try:
        address = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None or address.version != version or address.is_loopback or address.is_multicast:
        raise LeaseError(f"{name} {str(value)[:60]!r} is not an IPv{version} address that a peer can have")
    return address


def lease_of(name: str, subnets: Mapping[int, IPNetwork], record: Record) -> Lease:
    """The lease of a key and its value. Raises LeaseError when a subnet has no public address."""
    parts = []
    for version, subnet in sorted(subnets.items()):
        if version not in record.public:
            raise LeaseError(f"the value has no {_PUBLIC[version]} for {subnet}")
        parts.append(FamilyLease(subnet, record.public[version], record.data.get(version, {})))
    return Lease(name, record.backend, tuple(parts))
