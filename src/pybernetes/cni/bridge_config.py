"""The configuration of the bridge plugin, decoded and checked. Pure."""

from __future__ import annotations

from pybernetes.cni import result, spec
from pybernetes.cni.errors import invalid_config
from pybernetes.cni.settings import mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.settings import Settings

DEFAULT_BRIDGE = "cni0"


class BridgeConfig:
    """The settings of a bridge attachment."""

    __slots__ = (
        "bridge", "dad", "default_gateway", "disable_container_interface", "dns", "force_address", "gateway", "hairpin",
        "isolated", "mac", "mac_spoof_check", "masquerade", "mtu", "preserve_default_vlan", "promiscuous", "vlan",
        "vlans",
    )  # fmt: skip

    def __init__(self, call: spec.Call) -> None:
        """Raises CniError for values of the wrong type, and for settings that contradict each other."""
        source = call.settings
        self.bridge = source.text("bridge") or DEFAULT_BRIDGE
        self.mtu = read_mtu(source)
        self.mac = requested_mac(call)
        self.default_gateway = bool(source.switch("isDefaultGateway"))
        self.gateway = bool(source.switch("isGateway")) or self.default_gateway
        self.force_address = bool(source.switch("forceAddress"))
        self.hairpin = bool(source.switch("hairpinMode"))
        self.promiscuous = bool(source.switch("promiscMode"))
        self.isolated = bool(source.switch("portIsolation"))
        self.dad = bool(source.switch("enabledad"))
        self.mac_spoof_check = bool(source.switch("macspoofchk"))
        self.disable_container_interface = bool(source.switch("disableContainerInterface"))
        self.masquerade = uses_masquerade(source)
        self.dns = result.read_dns(source)
        self.preserve_default_vlan = source.switch("preserveDefaultVlan") is not False
        self.vlan = source.number("vlan", 0, 4094) or 0
        self.vlans = read_trunk(source.sections("vlanTrunk"))
        """The VLANs of a trunk port, tagged."""
        self._check(call)

    def _check(self, call: spec.Call) -> None:
        if self.hairpin and self.promiscuous:
            raise invalid_config("cannot set hairpin mode and promiscuous mode at the same time.")
        if self.disable_container_interface and call.ipam.text("type"):
            raise invalid_config("cannot use IPAM when disableContainerInterface is set: the interface stays down")
        if self.vlan and self.vlans:
            raise invalid_config("cannot set vlan and vlanTrunk at the same time")


def read_mtu(source: Settings) -> int:
    """`mtu`; 0 for the kernel's own choice."""
    return source.number("mtu", 0, 65535) or 0


def uses_masquerade(source: Settings) -> bool:
    """`ipMasq`; checks `ipMasqBackend` as well."""
    if source.text("ipMasqBackend") not in ("", "iptables", "nftables"):
        raise source.wrong("ipMasqBackend", '"iptables" or "nftables"')
    return bool(source.switch("ipMasq"))


def requested_mac(call: spec.Call) -> str:
    """The MAC requested for the pod's interface: by the runtime, `args`, or CNI_ARGS; empty for none."""
    return call.runtime.mac("mac") or call.cni_args.mac("mac") or mac(call.args.get("MAC", ""), "CNI_ARGS MAC")


def read_trunk(trunk: list[Settings]) -> list[int]:
    """The VLANs of `[{"minID": 2, "maxID": 9}, {"id": 42}]`, sorted."""
    found: set[int] = set()
    for item in trunk:
        first, last = item.number("minID", 1, 4094), item.number("maxID", 1, 4094)
        if (first is None) != (last is None):
            missing = "minID" if first is None else "maxID"
            raise invalid_config(f"minID and maxID should be configured simultaneously, {missing} is missing")
        if first is not None and last is not None:
            if first > last:
                raise invalid_config("minID is greater than maxID in trunk parameter")
            found.update(range(first, last + 1))
        one = item.number("id", 1, 4094)
        if one is not None:
            found.add(one)
    return sorted(found)
