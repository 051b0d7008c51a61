"""The settings of a bridge configuration, checked: what fits together, and what does not. Pure."""

from __future__ import annotations

from pybernetes.cni import spec
from pybernetes.cni.errors import invalid_config
from pybernetes.linux import linkmsg

DEFAULT_BRIDGE = "cni0"
_SWITCHES = (
    "isGateway", "isDefaultGateway", "forceAddress", "ipMasq", "hairpinMode", "promiscMode", "preserveDefaultVlan",
    "macspoofchk", "enabledad", "disableContainerInterface", "portIsolation",
)  # fmt: skip


def read(call: spec.Call) -> spec.Json:
    """The configuration with defaults filled in: `mac`, `vlans` (of a trunk), `preserveDefaultVlan`."""
    config = dict(call.config)
    for key in _SWITCHES:
        if not isinstance(config.get(key), bool | None):
            raise invalid_config(f"{key}: expected true or false, got {config[key]!r}")
    if config.get("isDefaultGateway"):
        config["isGateway"] = True
    if config.get("hairpinMode") and config.get("promiscMode"):
        raise invalid_config("cannot set hairpin mode and promiscuous mode at the same time.")
    if config.get("disableContainerInterface") and spec.section(config, "ipam").get("type"):
        raise invalid_config("cannot use IPAM when disableContainerInterface is set: the interface stays down")
    if config.get("ipMasqBackend") not in (None, "", "iptables", "nftables"):
        raise invalid_config(f'ipMasqBackend: expected "iptables" or "nftables", got {config["ipMasqBackend"]!r}')
    if not isinstance(config.get("bridge"), str | None):
        raise invalid_config(f"bridge: expected a name, got {config['bridge']!r}")
    config["bridge"] = config.get("bridge") or DEFAULT_BRIDGE
    config["mtu"] = read_mtu(config)
    config["preserveDefaultVlan"] = config.get("preserveDefaultVlan") is not False
    _read_vlans(config)
    config["mac"] = requested_mac(call)
    return config


def read_mtu(config: spec.Json) -> int:
    """`mtu`, 0 for the kernel's own choice."""
    mtu = config.get("mtu") or 0
    if not isinstance(mtu, int) or not 0 <= mtu <= 65535:
        raise invalid_config(f"invalid MTU {mtu!r} (must be a number from 0 to 65535)")
    return mtu


def requested_mac(call: spec.Call) -> str:
    """The MAC that somebody wants for the pod's interface: the runtime, `args`, or CNI_ARGS; empty for none."""
    cni_args = spec.section(spec.section(call.config, "args"), "cni")
    mac = call.runtime.get("mac") or cni_args.get("mac") or call.args.get("MAC") or ""
    if mac:
        try:
            linkmsg.mac_bytes(mac)
        except (ValueError, AttributeError) as bad:
            raise invalid_config(f"invalid MAC address: {bad}") from bad
    return str(mac)


def _read_vlans(config: spec.Json) -> None:
    vlan = config["vlan"] = config.get("vlan") or 0
    if not isinstance(vlan, int) or not 0 <= vlan <= 4094:
        raise invalid_config(f"invalid VLAN ID {vlan!r} (must be between 0 and 4094)")
    vlans = config["vlans"] = read_trunk(config.get("vlanTrunk") or [])
    if vlan and vlans:
        raise invalid_config("cannot set vlan and vlanTrunk at the same time")


def read_trunk(trunk: object) -> list[int]:
    """The VLANs of `[{"minID": 2, "maxID": 9}, {"id": 42}]`, sorted."""
    if not isinstance(trunk, list) or not all(isinstance(item, dict) for item in trunk):
        raise invalid_config("vlanTrunk: expected a list of objects with minID and maxID, or id")
    found: set[int] = set()
    for item in trunk:
        first, last = _vlan_id(item, "minID"), _vlan_id(item, "maxID")
        if bool(first) != bool(last):
            missing = "maxID" if first else "minID"
            raise invalid_config(f"minID and maxID should be configured simultaneously, {missing} is missing")
        if first > last:
            raise invalid_config("minID is greater than maxID in trunk parameter")
        found.update(range(first, last + 1) if first else (), {_vlan_id(item, "id")} - {0})
    return sorted(found)


def _vlan_id(item: spec.Json, key: str) -> int:
    """A VLAN of a trunk; 0 when the key is absent."""
    value = item.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or not 1 <= value <= 4094:
        raise invalid_config(f"incorrect trunk {key} parameter {value!r} (1 to 4094)")
    return value
