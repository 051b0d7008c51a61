"""Read one network namespace: links, routes, packet filters, sysctls, sockets. Draws no conclusions."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pybernetes.insight.facts import KernelFacts, NftObjects
from pybernetes.insight.sysctls import BRIDGE_FILTER, CONNTRACK_COUNT, CONNTRACK_MAX, FORWARDING, reverse_path
from pybernetes.linux import addr, fdb, ipmsg, link, neigh, netns, nft, route, sysctl
from pybernetes.linux.errors import LinuxError, NetlinkError
from pybernetes.linux.iptables import Iptables
from pybernetes.linux.rtnl import Netlink
from pybernetes.linux.wireguard import Device, Wireguard

_SETTINGS = (*BRIDGE_FILTER.values(), CONNTRACK_COUNT, CONNTRACK_MAX)
_OF_IPTABLES = ("nat", "filter")
#: Tables of iptables-legacy that are in use. Running iptables-legacy on any other table would create it.
_LEGACY = {4: "/proc/thread-self/net/ip_tables_names", 6: "/proc/thread-self/net/ip6_tables_names"}


def kernel(namespace: netns.Netns | None, *, rules: bool = False) -> KernelFacts:
    """Read a namespace. `rules` also reads packet filters and sysctls, which starts processes."""
    tables = _nft(namespace) if rules else {}
    with Netlink(namespace) as nl:
        links = tuple(link.links(nl))
        facts = KernelFacts(
            links=links,
            addresses=tuple(addr.addresses(nl)),
            routes=tuple(r for r in route.routes(nl) if r.table in (ipmsg.RT_TABLE_MAIN, 255)),
            neighbours=tuple(neigh.neighbours(nl)),
            forwarding=tuple(fdb.entries(nl)),
            forwards={version: _setting(name, namespace) != "0" for version, name in FORWARDING.items()},
        )
    if not rules:
        return facts
    # Ports of bridges belong to pods: there can be thousands, all configured by CNI.
    names = ["all", *(li.name for li in links if not li.master)]
    return replace(
        facts,
        nft=tables,
        iptables=_iptables(namespace, tables),
        settings=_settings([*_SETTINGS, *map(reverse_path, names)], namespace),
        udp_ports=_udp_ports(namespace),
        wireguards=tuple(_wireguards([li.name for li in links if li.kind == "wireguard"], namespace)),
    )


def _setting(name: str, namespace: netns.Netns | None) -> str:
    try:
        return sysctl.read(name, namespace)
    except NetlinkError:
        return "0"


def _settings(names: Iterable[str], namespace: netns.Netns | None) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(NetlinkError):
            found[name] = sysctl.read(name, namespace)
    return found


def _nft(namespace: netns.Netns | None) -> dict[str, NftObjects]:
    return {f"{family} {name}": tuple(objects) for (family, name), objects in nft.list_all(namespace).items()}


def _iptables(namespace: netns.Netns | None, tables: dict[str, NftObjects]) -> dict[str, str]:
    found: dict[str, str] = {}
    for version, family in ((4, "ip"), (6, "ip6")):
        modern = {name for name in _OF_IPTABLES if f"{family} {name}" in tables}
        legacy = set(_text(_LEGACY[version], namespace).split()) & set(_OF_IPTABLES)
        for backend, names, note in (("nft", modern, ""), ("legacy", legacy, " (legacy)")):
            tool = Iptables(version, backend=backend, netns=namespace)
            if names and tool.available():
                with suppress(LinuxError):
                    saved = _by_table(tool.save())
                    found |= {f"{family} {name}{note}": saved[name] for name in sorted(names) if name in saved}
    return found


def _by_table(saved: str) -> dict[str, str]:
    """Split the output of iptables-save."""
    found: dict[str, str] = {}
    for part in ("\n" + saved).split("\n*")[1:]:
        name, _, rest = part.partition("\n")
        found[name.strip()] = rest.partition("\nCOMMIT")[0]
    return found


def _udp_ports(namespace: netns.Netns | None) -> frozenset[int]:
    text = "\n".join(_text(f"/proc/thread-self/net/{name}", namespace) for name in ("udp", "udp6"))
    local = (line.split()[1] for line in text.splitlines() if len(line.split()) > 2 and ":" in line.split()[1])
    return frozenset(int(address.rpartition(":")[2], 16) for address in local)


def _wireguards(names: Iterable[str], namespace: netns.Netns | None) -> Iterable[Device]:
    for name in names:
        with suppress(LinuxError), Wireguard(namespace) as wg:
            yield replace(wg.device(name), private_key="")


def _text(path: str, namespace: netns.Netns | None) -> str:
    """Read a file below /proc from inside the namespace."""
    with netns.enter(namespace):
        try:
            return Path(path).read_text()
        except OSError:
            return ""
