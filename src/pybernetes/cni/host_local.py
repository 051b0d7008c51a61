"""host-local: allocates addresses from configured ranges, and records them on this host's disk."""

from __future__ import annotations

from pybernetes.cni import errors, files, result, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.ranges import RangeSet, candidates, read_sets
from pybernetes.cni.result import Dns, Ip, Result
from pybernetes.cni.store import Store
from pybernetes.linux.ipmsg import pack, unpack


class HostLocalConfig:
    """The `ipam` section."""

    __slots__ = ("data_dir", "resolv_conf", "routes", "sets")

    def __init__(self, call: spec.Call) -> None:
        source = call.ipam
        if not source.keys():
            raise errors.invalid_config("IPAM config missing 'ipam' key")
        self.sets = read_sets(source, call.runtime)
        self.routes = result.read_routes(source)
        self.resolv_conf = source.text("resolvConf")
        self.data_dir = source.text("dataDir")


def add(call: spec.Call) -> Result:
    """Allocate one address from each range set, or none at all."""
    config = HostLocalConfig(call)
    wanted, dns = _requested(call), _read_dns(config.resolv_conf)
    taken: list[str] = []
    ips: list[Ip] = []
    with Store(call.network, config.data_dir) as store:
        owned = store.owned(call.container_id, call.ifname)
        try:
            for number, ranges in enumerate(config.sets):
                _refuse_a_second(call, owned, ranges)
                ips.append(_take(call, store, ranges, number, wanted, taken))
            if wanted:
                listed = ", ".join(wanted)
                raise errors.invalid_config(f"failed to allocate all requested IPs: {listed} are in no range")
        except BaseException:
            store.release(taken)
            raise
    return Result(ips=ips, routes=config.routes, dns=dns)


def delete(call: spec.Call) -> None:
    """Release whatever the attachment holds."""
    with _open(call) as store:
        store.release(store.owned(call.container_id, call.ifname))


def check(call: spec.Call) -> None:
    with _open(call) as store:
        if not store.owned(call.container_id, call.ifname):
            text = f"host-local: Failed to find address added by container {call.container_id}"
            raise CniError(errors.CHECK_FAILED, text)


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid."""
    HostLocalConfig(call)


def gc(call: spec.Call) -> None:
    """Release the addresses of attachments that no longer exist."""
    valid = call.valid_attachments()
    containers = {container for container, _ in valid}
    with _open(call) as store:
        store.release(
            [
                ip
                for ip, owner, interface in store.reservations()
                if not ((owner, interface) in valid or (not interface and owner in containers))
            ]
        )


def _open(call: spec.Call) -> Store:
    """The reservations. DEL must work even if the ranges in the configuration are invalid."""
    return Store(call.network, call.ipam.text("dataDir"))


def _refuse_a_second(call: spec.Call, owned: list[str], ranges: RangeSet) -> None:
    for ip in owned:
        if any(r.number(ip) is not None for r in ranges):
            text = f"{ip} has been allocated to {call.container_id}, duplicate allocation is not allowed"
            raise CniError(errors.NO_ADDRESS, text)


def _take(call: spec.Call, store: Store, ranges: RangeSet, number: int, wanted: list[str], taken: list[str]) -> Ip:
    """Reserve an address of one set; adds it to `taken`, and removes it from `wanted` if it was requested."""
    asked = next((ip for ip in wanted if any(r.number(ip) is not None for r in ranges)), None)
    if asked is not None:
        wanted.remove(asked)
        choices = iter([(r, n) for r in ranges if (n := r.number(asked)) is not None])
    else:
        choices = candidates(ranges, store.last_reserved(number))
    for one, address in choices:
        ip = one.text(address)
        if asked and address == one.gateway:
            raise errors.invalid_config(f"requested ip {ip} is subnet's gateway")
        if store.reserve(ip, call.container_id, call.ifname, number):
            taken.append(ip)
            return Ip(f"{ip}/{one.prefix}", one.text(one.gateway))
    if asked:
        raise CniError(errors.NO_ADDRESS, f"requested IP address {asked} is not available in range set {ranges[0]}")
    described = ",".join(str(r) for r in ranges)
    raise CniError(errors.NO_ADDRESS, f"no IP addresses available in range set: {described}")


def _requested(call: spec.Call) -> list[str]:
    """The addresses that the caller requests, in any of CNI's three ways."""
    asked = call.runtime.texts("ips") + call.cni_args.texts("ips")
    if call.args.get("IP"):
        asked.append(call.args["IP"])
    try:
        return list(dict.fromkeys([unpack(pack(ip.partition("/")[0])) for ip in asked]))
    except ValueError as bad:
        raise errors.invalid_config(f"requested address: {bad}") from bad


def _read_dns(path: str) -> Dns:
    """The name servers of a resolv.conf(5); none without a path."""
    dns = Dns()
    if not path:
        return dns
    for line in files.read_regular(path).decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        match words[0]:
            case "nameserver":
                dns.nameservers.append(words[1])
            case "domain":
                dns.domain = words[1]
            case "search":
                dns.search += words[1:]
            case "options":
                dns.options += words[1:]
    return dns
