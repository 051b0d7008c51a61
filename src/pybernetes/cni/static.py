"""static: an IPAM plugin that returns the addresses in its configuration. Keeps no state."""

from __future__ import annotations

from pybernetes.cni import errors, result, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.result import Ip, Result
from pybernetes.cni.settings import Settings
from pybernetes.linux import ipmsg


def add(call: spec.Call) -> Result:
    """The addresses: the runtime's, or else those of `args`, or else the configuration's and those of CNI_ARGS."""
    ips = _addresses(call)
    if not ips:
        raise errors.invalid_config("static: no addresses in ipam.addresses, and the runtime asked for none")
    for gateway in filter(None, call.args.get("GATEWAY", "").split(",")):
        own = Settings({"GATEWAY": gateway}, "CNI_ARGS ").address("GATEWAY")
        for ip in ips:
            if ipmsg.family_of(own) == ipmsg.family_of(ip.address):
                ip.gateway = own
    return Result(ips=ips, routes=result.read_routes(call.ipam), dns=result.read_dns(call.ipam))


def _addresses(call: spec.Call) -> list[Ip]:
    asked = call.runtime.texts("ips") or call.cni_args.texts("ips")
    if asked:
        return [_read(Settings({"address": cidr}, "ips: ")) for cidr in asked]
    more = [cidr for cidr in call.args.get("IP", "").split(",") if cidr]
    return [*_configured(call), *(_read(Settings({"address": cidr}, "CNI_ARGS IP: ")) for cidr in more)]


def _configured(call: spec.Call) -> list[Ip]:
    return [_read(one) for one in call.ipam.sections("addresses")]


def _read(source: Settings) -> Ip:
    address = source.cidr("address")
    if not address:
        raise source.wrong("address", "an address with a prefix length")
    return Ip(address, source.address("gateway"))


def delete(call: spec.Call) -> None:
    """Nothing to do: no state is kept."""


def check(call: spec.Call) -> None:
    """Every address is in the result of ADD; the plugin that configured the interface checks the interface."""
    found = {ip.address for ip in spec.required_result(call, "CHECK").ips}
    for ip in add(call).ips:
        if ip.address not in found:
            raise CniError(errors.CHECK_FAILED, f"static: address {ip.address} is not in prevResult")


def status(call: spec.Call) -> None:
    """Ready when the configured addresses are valid; more may come with each pod."""
    _configured(call)


def gc(call: spec.Call) -> None:
    """Nothing to do: no state is kept."""
