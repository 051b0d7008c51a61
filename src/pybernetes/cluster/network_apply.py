"""Make the kernel match a `Network`, or remove the network by name. Both can be run again at any time.

A thin shell around ip(8) and nft(8): reads each namespace once and applies what is missing in one batch.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from pybernetes.cluster.commands import run, succeeds
from pybernetes.cluster.names import LINK_MARK, MARK
from pybernetes.cluster.network import HOST, Network, Veth
from pybernetes.linux import netns as namespaces

NETNS_DIR = Path(namespaces.RUN_DIR)


class _AddressInfo(msgspec.Struct):
    local: str = ""
    prefixlen: int = 0


class _Link(msgspec.Struct):
    ifname: str = ""
    address: str = ""
    master: str = ""
    flags: list[str] = []
    addr_info: list[_AddressInfo] = []


class _Route(msgspec.Struct):
    dst: str = ""
    gateway: str = ""


@dataclass
class Observed:
    """The state of one namespace."""

    links: dict[str, _Link] = field(default_factory=dict)
    routes: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of_links(cls, *names: str) -> "Observed":
        """A state with these links, which are down and have no addresses."""
        return cls({name: _Link(ifname=name) for name in names})

    def addresses(self, link: str) -> set[str]:
        """Addresses of a link as CIDRs."""
        found = self.links.get(link)
        return set() if found is None else {f"{a.local}/{a.prefixlen}" for a in found.addr_info}


def observe(netns: str) -> Observed:
    """Read links, addresses and routes of one namespace."""
    prefix = _ip(netns)
    links = msgspec.json.decode(run([*prefix, "-j", "addr", "show"]) or b"[]", type=list[_Link])
    seen = Observed({link.ifname: link for link in links})
    for family in ("-4", "-6"):
        routes = msgspec.json.decode(run([*prefix, "-j", family, "route", "show"]) or b"[]", type=list[_Route])
        seen.routes |= {(r.dst, r.gateway) for r in routes}
    return seen


def actions(wanted: Network, seen: dict[str, Observed]) -> dict[str, list[str]]:
    """Lines for `ip -batch` per namespace that turn the observed state into the wanted one. Pure.

    A namespace missing from `seen` is empty.
    """
    batches: dict[str, list[str]] = defaultdict(list)
    empty = Observed()
    for namespace in wanted.namespaces:
        loopback = seen.get(namespace.name, empty).links.get("lo")
        if loopback is None or "UP" not in loopback.flags:
            batches[namespace.name].append("link set dev lo up")
    for bridge in wanted.bridges:
        link = seen.get(bridge.netns, empty).links.get(bridge.name)
        if link is None:
            batches[bridge.netns].append(
                f"link add name {bridge.name} address {bridge.mac} type bridge stp_state 0 forward_delay 0"
            )
        if link is None or "UP" not in link.flags:
            batches[bridge.netns].append(f"link set dev {bridge.name} up")
    for veth in wanted.veths:
        _veth_actions(veth, seen, batches)
    for address in wanted.addresses:
        if address.cidr not in seen.get(address.netns, empty).addresses(address.link):
            nodad = " nodad" if ":" in address.cidr else ""
            batches[address.netns].append(f"addr replace {address.cidr} dev {address.link}{nodad}")
    for route in wanted.routes:
        if (route.to, route.via) not in seen.get(route.netns, empty).routes:
            batches[route.netns].append(f"route replace {route.to} via {route.via}")
    return dict(batches)


def _veth_actions(veth: Veth, seen: dict[str, Observed], batches: dict[str, list[str]]) -> None:
    near = seen.get(veth.netns, Observed()).links.get(veth.name)
    far = seen.get(veth.peer_netns, Observed()).links.get(veth.peer)
    if near is not None and far is None:
        # The other end was deleted with its namespace, or moved: recreate the pair.
        batches[veth.netns].append(f"link del dev {veth.name}")
        near = None
    if near is None:
        batches[veth.netns].append(
            f"link add name {veth.name} type veth peer name {veth.peer} address {veth.peer_mac} netns {veth.peer_netns}"
        )
    if near is None:
        batches[veth.netns].append(f'link set dev {veth.name} alias "{veth.reason}"')
    if veth.master is not None and (near is None or near.master != veth.master):
        batches[veth.netns].append(f"link set dev {veth.name} master {veth.master}")
    if near is None or "UP" not in near.flags:
        batches[veth.netns].append(f"link set dev {veth.name} up")
    if near is None or far is None or "UP" not in far.flags:
        batches[veth.peer_netns].append(f"link set dev {veth.peer} up")


def apply_network(wanted: Network) -> None:
    """Create what is missing and correct what differs. Objects of other programs are not changed."""
    existing = set(namespaces.list_names())
    seen = {HOST: observe(HOST)}
    for namespace in wanted.namespaces:
        if namespace.name in existing:
            seen[namespace.name] = observe(namespace.name)
        else:
            namespaces.create(namespace.name)
        namespaces.run_in(namespace.name, partial(write_sysctls, namespace.sysctls))
    batches = actions(wanted, seen)
    # A pair is created from one side and configured from both, and a route needs the gateway's address. So each
    # stage runs in every namespace before the next one.
    for stage in ("link del", "link add", "link set", "addr", "route"):
        for netns, lines in batches.items():
            chosen = [line for line in lines if line.startswith(stage)]
            if chosen:
                run([*_ip(netns), "-batch", "-"], stdin="\n".join(chosen) + "\n")
    table = wanted.nft.split(" {", 1)[0]
    run(["nft", "-f", "-"], stdin=f"{table}\ndelete {table}\n{wanted.nft}")


def write_sysctls(pairs: tuple[tuple[str, str], ...]) -> None:
    """Set sysctls below /proc/sys/net that differ; skip those that the kernel lacks."""
    for key, value in pairs:
        path = Path("/proc/sys/net") / key
        try:
            if path.read_text().strip() != value:
                path.write_text(value)
        except FileNotFoundError:
            continue


def remove_network(cluster: str) -> None:
    """Delete all remaining namespaces, links and tables of a cluster."""
    for name in cluster_namespaces(cluster):
        namespaces.delete(name)
    for name in cluster_links(cluster):
        # Deleting the router's namespace deletes the pair shortly afterwards, so this may fail.
        succeeds(["ip", "link", "del", "dev", name])
    succeeds(["nft", "delete", "table", "inet", f"{MARK}-{cluster}"])


def cluster_namespaces(cluster: str) -> list[str]:
    """The namespaces of a cluster's router and nodes."""
    return [name for name in list_namespaces() if name.startswith(f"{MARK}-{cluster}.")]


def list_namespaces() -> list[str]:
    """All names in /run/netns, also those of other programs and of namespaces that no longer exist."""
    try:
        return sorted(entry.name for entry in NETNS_DIR.iterdir())
    except FileNotFoundError:
        return []


def cluster_links(cluster: str) -> list[str]:
    """Links of a cluster in the host's namespace, found by their alias, which contains the full cluster name."""
    return [name for name, alias in marked_links() if alias.startswith(f"{MARK}-{cluster}: ")]


def marked_links() -> list[tuple[str, str]]:
    """Name and alias of each cluster's links in the host's namespace."""
    found = []
    for path in sorted(Path("/sys/class/net").iterdir()):
        if path.name.startswith(LINK_MARK):
            try:
                found.append((path.name, (path / "ifalias").read_text().strip()))
            except OSError:
                continue  # deleted meanwhile
    return found


def _ip(netns: str) -> list[str]:
    return ["ip"] if netns == HOST else ["ip", "-n", netns]
