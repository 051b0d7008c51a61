"""The network config: JSON from etcd, a file or a ConfigMap, checked once, with flannel's names and defaults.

Key names are matched without regard to case, as Go's decoder does (`Directrouting` is a common spelling).
"""

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_SUBNET_LEN = {4: 24, 6: 64}
#: A subnet keeps at least this many bits below the network's prefix when the default does not fit.
_NARROW = 22


class ConfigError(Exception):
    """The config can't be used; the message names the key, the value, and what would be right."""


@dataclass(frozen=True, slots=True)
class FamilyConfig:
    """The pod network of one address family."""

    network: IPNetwork
    subnet_len: int
    subnet_min: IPAddress
    """First subnet that may be leased."""
    subnet_max: IPAddress
    """Last subnet that may be leased."""

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network.version


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The network config. `families` has one entry per enabled family, IPv4 first."""

    families: tuple[FamilyConfig, ...]
    backend: str = "vxlan"
    """The backend's type, in lower case."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The backend's own options, keys in lower case."""
    enable_nftables: bool = False
    unknown: tuple[str, ...] = ()
    """Unknown keys, as they were written: often a typing error."""
    former: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The options of backends that were configured before, by type: packets still in flight were sent with them."""

    def family(self, version: int) -> FamilyConfig | None:
        """The config of one family, or None when it is not enabled."""
        return next((f for f in self.families if f.version == version), None)


def parse(text: str | bytes, backends: frozenset[str]) -> NetworkConfig:
    """Read and check a config. `backends` are the types known. Raises ConfigError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"network config is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"network config must be a JSON object, found {_show(document)}")
    # Null means the default, as in Go's decoder.
    keys = {key.lower(): value for key, value in document.items() if value is not None}
    families = []
    if _bool(keys, "EnableIPv4", True):
        families.append(_family(keys, 4, "Network", "Subnet"))
    if _bool(keys, "EnableIPv6", False):
        families.append(_family(keys, 6, "IPv6Network", "IPv6Subnet"))
    if not families:
        raise ConfigError("no address family is enabled: set EnableIPv4 or EnableIPv6 to true")
    backend, options = _backend(keys.get("backend"), backends)
    unknown = tuple(key for key in document if key.lower() not in _KEYS)
    return NetworkConfig(tuple(families), backend, options, _bool(keys, "EnableNFTables", False), unknown)


_FAMILY_KEYS = ("Network", "SubnetLen", "SubnetMin", "SubnetMax")
_KEYS = {key.lower() for name in _FAMILY_KEYS for key in (name, f"IPv6{name}")} | {
    "enableipv4",
    "enableipv6",
    "enablenftables",
    "backend",
}


def _show(value: object) -> str:
    return json.dumps(value)[:80]


def _bool(keys: Mapping[str, Any], name: str, default: bool) -> bool:
    value = keys.get(name.lower(), default)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, found {_show(value)}")
    return value


def _number(keys: Mapping[str, Any], name: str) -> int | None:
    value = keys.get(name.lower())
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value or None
    raise ConfigError(f"{name} must be a number, found {_show(value)}")


def _backend(value: object, known: frozenset[str]) -> tuple[str, dict[str, Any]]:
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError(f"Backend must be an object with a Type, found {_show(value)}")
    options = {key.lower(): option for key, option in value.items() if option is not None}
    kind = options.pop("type", "vxlan")
    if not isinstance(kind, str) or kind.lower() not in known:
        raise ConfigError(f"Backend.Type must be one of {', '.join(sorted(known))}; found {_show(kind)}")
    return kind.lower(), options


def _family(keys: Mapping[str, Any], version: int, name: str, prefix: str) -> FamilyConfig:
    value = keys.get(name.lower())
    if value in (None, ""):
        raise ConfigError(f"{name} is required when IPv{version} is enabled, such as {_EXAMPLE[version]}")
    network = _network(name, value, version)
    length = _subnet_len(keys, prefix + "Len", network)
    size = 1 << (network.max_prefixlen - length)
    first, last = int(network.network_address), int(network.broadcast_address) + 1
    bounds = {
        # The first subnet is left out by default: its network address is that of the entire network.
        "Min": (first + size, lambda limit: limit >= first),
        "Max": (last - size, lambda limit: limit + size <= last),
    }
    low, high = (_bound(keys, prefix + end, network, size, *bounds[end]) for end in ("Min", "Max"))
    if int(low) > int(high):
        raise ConfigError(f"{prefix}Min ({low}) must not be above {prefix}Max ({high})")
    return FamilyConfig(network, length, low, high)


#: Loopback, link-local and multicast networks, and those that begin with 0: no pod can have an address in them.
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/8", "fe80::/10", "ff00::/8")
]
_EXAMPLE = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}


def _network(name: str, value: object, version: int) -> IPNetwork:
    try:
        network = ipaddress.ip_network(str(value), strict=False) if isinstance(value, str) else None
    except ValueError:
        network = None
    if network is None or network.version != version or "/" not in str(value):
        raise ConfigError(f"{name} must be an IPv{version} network such as {_EXAMPLE[version]}, found {_show(value)}")
    if any(network.overlaps(special) for special in _SPECIAL if special.version == version):
        raise ConfigError(f"{name} {network} is not for hosts; use a private network such as {_EXAMPLE[version]}")
    if network.prefixlen > network.max_prefixlen - 4:
        raise ConfigError(f"{name} {network} is too small to be divided into subnets")
    return network


def _subnet_len(keys: Mapping[str, Any], name: str, network: IPNetwork) -> int:
    length = _number(keys, name)
    if length is None:
        default = DEFAULT_SUBNET_LEN[network.version]
        narrow = network.prefixlen > default - (24 - _NARROW)
        return network.prefixlen + 2 if narrow else default
    longest = network.max_prefixlen - 2
    if not network.prefixlen < length <= longest:
        raise ConfigError(
            f"{name} must lie between {network.prefixlen + 1} and {longest} for {network}, found {length}"
        )
    return length


def _bound(
    keys: Mapping[str, Any], name: str, network: IPNetwork, size: int, default: int, inside: Callable[[int], bool]
) -> IPAddress:
    value = keys.get(name.lower())
    make = type(network.network_address)
    if value in (None, ""):
        return make(default)
    try:
        address = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None or address.version != network.version:
        raise ConfigError(f"{name} must be an IPv{network.version} address inside {network}, found {_show(value)}")
    if address not in network or not inside(int(address)):
        raise ConfigError(f"{name} {address} is not inside the network {network}")
    if int(address) % size:
        raise ConfigError(f"{name} {address} is not on a subnet boundary; {make(int(address) // size * size)} would be")
    return address
