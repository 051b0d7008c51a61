"""static: an IPAM plugin that hands out exactly the addresses in its configuration. Keeps nothing."""

from __future__ import annotations

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux import ipmsg


def add(call: spec.Call) -> spec.Json:
    """The addresses: the runtime's, or else those of `args`, or else the configuration's and those of CNI_ARGS."""
    ipam = spec.section(call.config, "ipam")
    args = spec.section(spec.section(call.config, "args"), "cni")
    asked = call.runtime.get("ips") or args.get("ips")
    addresses = [{"address": cidr} for cidr in asked] if asked else list(ipam.get("addresses") or [])
    if not asked:
        addresses += [{"address": cidr} for cidr in call.args.get("IP", "").split(",") if cidr]
    if not addresses:
        raise errors.invalid_config("static: no addresses in ipam.addresses, and the runtime asked for none")
    ips = []
    for entry in addresses:
        ips.append(_read(entry))
    for gateway in filter(None, call.args.get("GATEWAY", "").split(",")):
        for ip in ips:
            if ipmsg.family_of(gateway) == ipmsg.family_of(ip["address"]):
                ip["gateway"] = gateway
    return {"ips": ips, "routes": ipam.get("routes") or [], "dns": ipam.get("dns") or {}}


def _read(entry: spec.Json) -> spec.Json:
    try:
        raw, length = ipmsg.split(entry["address"])
        if "/" not in entry["address"]:
            raise ValueError("the prefix length is missing")
        ip: spec.Json = {"address": f"{ipmsg.unpack(raw)}/{length}"}
        if entry.get("gateway"):
            ip["gateway"] = ipmsg.unpack(ipmsg.pack(entry["gateway"]))
    except (ValueError, KeyError, AttributeError, TypeError) as bad:
        raise errors.invalid_config(f"static: invalid address {entry!r}: {bad}") from bad
    return ip


def delete(call: spec.Call) -> None:
    """Nothing was kept."""


def check(call: spec.Call) -> None:
    """Every address is in the result that the runtime remembers; the plugin that set it up checks the interface."""
    found = {str(ip.get("address")) for ip in spec.previous_result(call, needed="CHECK").get("ips") or []}
    for ip in add(call)["ips"]:
        if ip["address"] not in found:
            raise CniError(errors.CHECK_FAILED, f"static: address {ip['address']} is not in prevResult")


def status(call: spec.Call) -> None:
    """Ready: what it needs is in the configuration, or comes with each pod."""
    for entry in spec.section(call.config, "ipam").get("addresses") or []:
        _read(entry)


def gc(call: spec.Call) -> None:
    """Nothing was kept."""
