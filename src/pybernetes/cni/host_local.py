"""host-local: hands out addresses from ranges in the configuration, remembered on this host's disk."""

from __future__ import annotations

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.ranges import RangeSet, candidates, read_sets
from pybernetes.cni.store import Store
from pybernetes.linux.ipmsg import pack, unpack


def add(call: spec.Call) -> spec.Json:
    """One address out of each range set, or nothing at all."""
    ipam, sets = _read(call)
    wanted, dns = _requested(call), _read_dns(ipam)
    taken: list[str] = []
    ips: list[spec.Json] = []
    with _open(call, ipam) as store:
        owned = store.owned(call.container_id, call.ifname)
        try:
            for number, ranges in enumerate(sets):
                _refuse_a_second(call, owned, ranges)
                ips.append(_take(call, store, ranges, number, wanted, taken))
            if wanted:
                listed = ", ".join(wanted)
                raise errors.invalid_config(f"failed to allocate all requested IPs: {listed} are in no range")
        except BaseException:
            store.release(taken)
            raise
    return {"ips": ips, "routes": ipam.get("routes") or [], "dns": dns}


def delete(call: spec.Call) -> None:
    """Give back whatever the attachment holds."""
    with _open(call, spec.section(call.config, "ipam")) as store:
        store.release(store.owned(call.container_id, call.ifname))


def check(call: spec.Call) -> None:
    with _open(call, spec.section(call.config, "ipam")) as store:
        if not store.owned(call.container_id, call.ifname):
            text = f"host-local: Failed to find address added by container {call.container_id}"
            raise CniError(errors.CHECK_FAILED, text)


def status(call: spec.Call) -> None:
    """Ready as soon as the configuration makes sense."""
    _read(call)


def gc(call: spec.Call) -> None:
    """Give back the addresses of attachments that are no more."""
    valid = call.valid_attachments()
    containers = {container for container, _ in valid}
    with _open(call, spec.section(call.config, "ipam")) as store:
        store.release(
            [
                ip
                for ip, owner, interface in store.reservations()
                if not ((owner, interface) in valid or (not interface and owner in containers))
            ]
        )


def _open(call: spec.Call, ipam: spec.Json) -> Store:
    return Store(call.network, str(ipam.get("dataDir") or ""))


def _read(call: spec.Call) -> tuple[spec.Json, list[RangeSet]]:
    ipam = spec.section(call.config, "ipam")
    if not ipam:
        raise errors.invalid_config("IPAM config missing 'ipam' key")
    return ipam, read_sets(ipam, call.runtime)


def _refuse_a_second(call: spec.Call, owned: list[str], ranges: RangeSet) -> None:
    for ip in owned:
        if any(r.number(ip) is not None for r in ranges):
            text = f"{ip} has been allocated to {call.container_id}, duplicate allocation is not allowed"
            raise CniError(errors.NO_ADDRESS, text)


def _take(
    call: spec.Call, store: Store, ranges: RangeSet, number: int, wanted: list[str], taken: list[str]
) -> spec.Json:
    """Reserve an address of one set; notes it in `taken`, and removes it from `wanted` if it was asked for."""
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
            return {"address": f"{ip}/{one.prefix}", "gateway": one.text(one.gateway)}
    if asked:
        raise CniError(errors.NO_ADDRESS, f"requested IP address {asked} is not available in range set {ranges[0]}")
    described = ",".join(str(r) for r in ranges)
    raise CniError(errors.NO_ADDRESS, f"no IP addresses available in range set: {described}")


def _requested(call: spec.Call) -> list[str]:
    """Addresses that the caller asks for, in any of the three ways that CNI knows."""
    asked: list[str] = list(call.runtime.get("ips") or [])
    asked += spec.section(spec.section(call.config, "args"), "cni").get("ips") or []
    if call.args.get("IP"):
        asked.append(call.args["IP"])
    try:
        return list(dict.fromkeys(unpack(pack(ip.partition("/")[0])) for ip in asked))
    except ValueError as bad:
        raise errors.invalid_config(f"requested address: {bad}") from bad


def _read_dns(ipam: spec.Json) -> spec.Json:
    """The name servers of the file that `resolvConf` names."""
    path = ipam.get("resolvConf")
    if not path:
        return {}
    dns: spec.Json = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.partition("#")[0].split()
            if len(words) < 2:
                continue
            if words[0] == "nameserver":
                dns.setdefault("nameservers", []).append(words[1])
            elif words[0] == "domain":
                dns["domain"] = words[1]
            elif words[0] in ("search", "options"):
                dns.setdefault(words[0], []).extend(words[1:])
    return dns
