"""Virtual servers as iptables rules, in the chains of kube-proxy. Pure: text for iptables-restore.

| chain | what |
|---|---|
| KUBE-SERVICES | one rule per cluster IP and external IP |
| KUBE-NODEPORTS | one rule per node port |
| KUBE-SVC-…, KUBE-SVL-…, KUBE-EXT-… | the endpoints of a Service: all, those on this node, those for external traffic |
| KUBE-SEP-… | one endpoint |
| KUBE-POSTROUTING, KUBE-MARK-MASQ | masquerading of marked packets |

All rules are written at each change, and a packet passes them one by one. For kernels and tools that need iptables;
the nftables mode scales better.
"""

import base64
import hashlib
from collections.abc import Iterable

from pybernetes.proxy.family import Family
from pybernetes.proxy.model import Endpoint, VirtualServer

_MARK = "0x4000/0x4000"

#: (table, built-in chain, our chain, further matches, comment)
JUMPS = (
    ("nat", "PREROUTING", "KUBE-SERVICES", (), "kubernetes service portals"),
    ("nat", "OUTPUT", "KUBE-SERVICES", (), "kubernetes service portals"),
    ("nat", "POSTROUTING", "KUBE-POSTROUTING", (), "kubernetes postrouting rules"),
    (
        "filter",
        "INPUT",
        "KUBE-REJECTS",
        ("-m", "conntrack", "--ctstate", "NEW"),
        "kubernetes services without endpoints",
    ),
    (
        "filter",
        "FORWARD",
        "KUBE-REJECTS",
        ("-m", "conntrack", "--ctstate", "NEW"),
        "kubernetes services without endpoints",
    ),
    (
        "filter",
        "OUTPUT",
        "KUBE-REJECTS",
        ("-m", "conntrack", "--ctstate", "NEW"),
        "kubernetes services without endpoints",
    ),
)


def _chain(kind: str, server: VirtualServer, endpoint: Endpoint | None = None) -> str:
    """A chain name as kube-proxy forms it: a hash within iptables' limit of 28 characters."""
    text = server.key + (f"{endpoint.ip}:{endpoint.port}" if endpoint else "")
    return f"KUBE-{kind}-{base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]}"


class _Rules:
    def __init__(self, family: Family) -> None:
        self.family = family
        self.chains: dict[str, list[str]] = {
            "KUBE-SERVICES": [],
            "KUBE-NODEPORTS": [],
            "KUBE-POSTROUTING": [],
            "KUBE-MARK-MASQ": [],
        }
        self.rejects: list[str] = []
        self._hairpins: set[str] = set()

    def host(self, ip: str) -> str:
        return f"{ip}/{32 if self.family.version == 4 else 128}"

    def add(self, server: VirtualServer) -> None:
        comment = f'-m comment --comment "{server.namespace}/{server.name}:{server.port_name}"'
        to_port = f"-p {server.protocol} -m {server.protocol} --dport {server.port}"
        self._internal(server, comment, to_port)
        places = [("KUBE-SERVICES", f"-d {self.host(ip)} {to_port}") for ip in server.external_ips]
        if server.node_port:
            local = f"-p {server.protocol} -m {server.protocol} --dport {server.node_port}"
            places.append(("KUBE-NODEPORTS", local))
        if places:
            self._external(server, comment, places)
        for endpoint in server.endpoints:
            if endpoint.local and endpoint.ip not in self._hairpins:
                self._hairpins.add(endpoint.ip)
                host = self.host(endpoint.ip)
                self.chains["KUBE-POSTROUTING"].append(f"-s {host} -d {host} -j MASQUERADE --random-fully")

    def _internal(self, server: VirtualServer, comment: str, to_port: str) -> None:
        match = f"-d {self.host(server.cluster_ip)} {to_port} {comment}"
        if not server.internal_endpoints:
            self.rejects.append(f"{match} -j {'DROP' if server.endpoints else 'REJECT'}")
            return
        chain = self._choice("SVL" if server.internal_local else "SVC", server, server.internal_endpoints)
        for cidr in self.family.pod_cidrs[:1]:
            self.chains[chain].insert(0, f"! -s {cidr} -d {self.host(server.cluster_ip)} {to_port} -j KUBE-MARK-MASQ")
        self.chains["KUBE-SERVICES"].append(f"{match} -j {chain}")

    def _external(self, server: VirtualServer, comment: str, places: list[tuple[str, str]]) -> None:
        if not server.external_endpoints:
            verdict = "DROP" if server.endpoints else "REJECT"
            local = "-m addrtype --dst-type LOCAL "
            self.rejects += [
                f"{match} {local if chain == 'KUBE-NODEPORTS' else ''}{comment} -j {verdict}" for chain, match in places
            ]
        if not server.endpoints:
            return
        every = self._choice("SVC", server, server.endpoints)
        chain = _chain("EXT", server)
        rules = self.chains.setdefault(chain, [])
        if not server.external_local:
            rules += ["-j KUBE-MARK-MASQ", f"-j {every}"]
        else:
            rules += [f"-s {cidr} -j {every}" for cidr in self.family.pod_cidrs]
            rules += ["-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ", f"-m addrtype --src-type LOCAL -j {every}"]
            if server.local_endpoints:
                rules.append(f"-j {self._choice('SVL', server, server.local_endpoints)}")
        for table, match in places:
            self.chains[table].append(f"{match} {comment} -j {chain}")

    def _choice(self, kind: str, server: VirtualServer, endpoints: tuple[Endpoint, ...]) -> str:
        chain = _chain(kind, server)
        if chain in self.chains:
            return chain
        rules = self.chains[chain] = []
        names = [_chain("SEP", server, endpoint) for endpoint in endpoints]
        if server.affinity_seconds:
            sticky = f"--rcheck --seconds {server.affinity_seconds} --reap"
            rules += [f"-m recent --name {name} {sticky} -j {name}" for name in names]
        for number, (name, endpoint) in enumerate(zip(names, endpoints, strict=True)):
            left = len(endpoints) - number
            dice = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            rules.append(f"{dice}-j {name}")
            self._endpoint(name, server, endpoint)
        return chain

    def _endpoint(self, name: str, server: VirtualServer, endpoint: Endpoint) -> None:
        if name in self.chains:
            return
        target = f"{endpoint.ip}:{endpoint.port}" if self.family.version == 4 else f"[{endpoint.ip}]:{endpoint.port}"
        sticky = f"-m recent --name {name} --set " if server.affinity_seconds else ""
        protocol = f"-p {server.protocol} -m {server.protocol}"
        self.chains[name] = [f"{sticky}{protocol} -j DNAT --to-destination {target}"]


def rules(servers: Iterable[VirtualServer], family: Family, stale: Iterable[str] = ()) -> str:
    """Input for `iptables-restore --noflush`. `stale` are existing chains of ours, which may no longer be used."""
    built = _Rules(family)
    for server in sorted(servers, key=lambda s: s.key):
        built.add(server)
    built.chains["KUBE-SERVICES"].append(f"! -d {family.loopback} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    built.chains["KUBE-POSTROUTING"] += [
        f"-m mark ! --mark {_MARK} -j RETURN",
        "-j MARK --xor-mark 0x4000",
        "-j MASQUERADE --random-fully",
    ]
    built.chains["KUBE-MARK-MASQ"].append("-j MARK --or-mark 0x4000")
    gone = [chain for chain in stale if chain not in built.chains]
    nat = ["*nat", *(f":{chain} - [0:0]" for chain in [*built.chains, *gone])]
    nat += [f"-A {chain} {rule}" for chain, lines in built.chains.items() for rule in lines]
    nat += [f"-X {chain}" for chain in gone]
    rejects = ["*filter", ":KUBE-REJECTS - [0:0]", *(f"-A KUBE-REJECTS {rule}" for rule in built.rejects)]
    return "\n".join([*nat, "COMMIT", *rejects, "COMMIT"]) + "\n"
