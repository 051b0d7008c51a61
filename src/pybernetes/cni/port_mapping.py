"""Host ports as values, out of what the runtime asks for, and what carries them out.

Two renderers for the same mappings: `portmap_nft` (default; one table of our own) and `portmap_iptables`
(`"backend": "iptables"`; the very rules of the stock plugin, so that either removes the other's).
"""

from __future__ import annotations

import errno

from pybernetes.cni import errors, iface, spec
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.turns import exclusively
from pybernetes.linux import conntrack, ipmsg, sysctl, tool
from pybernetes.linux.errors import LinuxError, Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

MARK_BIT = 13
PROTOCOLS = {"tcp": conntrack.TCP, "udp": conntrack.UDP, "sctp": conntrack.SCTP}


class Mapping:
    """One hostPort of one family. `host_ip` is empty for every address of the node."""

    __slots__ = ("host_ip", "host_port", "pod", "pod_port", "protocol")

    def __init__(self, protocol: str, host_ip: str, host_port: int, pod: str, pod_port: int) -> None:
        self.protocol = protocol
        self.host_ip = host_ip
        self.host_port = host_port
        self.pod = pod
        """`10.244.1.5/24`: its network matters, neighbours' packets need source NAT."""
        self.pod_port = pod_port

    @property
    def family(self) -> int:
        return iface.family(self.pod)

    @property
    def pod_ip(self) -> str:
        return iface.plain(self.pod)


def add(call: spec.Call, result: spec.Json) -> None:
    """Map the ports; on any failure none of them stays mapped."""
    found = mappings(call.runtime, result)
    if not found:
        return
    backend = _backend(call.config)
    try:
        exclusively(lambda: backend.add(call, found))
        if snat(call.config):
            _allow_localhost(found)
    except LinuxError:
        delete(call)
        raise
    flush_udp(found)


def delete(call: spec.Call) -> None:
    for backend in _all_backends():
        exclusively(lambda backend=backend: backend.delete(call))  # type: ignore[misc]


def check(call: spec.Call, result: spec.Json) -> None:
    found = mappings(call.runtime, result)
    if found and not _backend(call.config).present(call, found):
        raise CniError(errors.CHECK_FAILED, f"port mappings of container {call.container_id} are missing")


def gc(call: spec.Call) -> None:
    for backend in _all_backends():
        exclusively(lambda backend=backend: backend.gc(call))  # type: ignore[misc]


def status(call: spec.Call) -> None:
    """Able to serve ADD where the tool of the backend is installed."""
    command = {"nftables": "nft", "iptables": "iptables-restore"}[read_backend(call.config)]
    if tool.find(command) is None:
        raise CniError(errors.NOT_AVAILABLE, f"{command} is not installed")


# -- settings --------------------------------------------------------------------------------------------
def snat(config: spec.Json) -> bool:
    """Whether those packets get the node's address whose answers would go astray; unless `snat` is false, yes."""
    return config.get("snat") is not False


def mark(config: spec.Json) -> int:
    """The bit that marks packets for source NAT (`markMasqBit`)."""
    bit = config.get("markMasqBit")
    return 1 << (MARK_BIT if bit is None else int(bit))


def conditions(config: spec.Json, family: int) -> list[str]:
    """What a packet must fulfil besides (`conditionsV4`, `conditionsV6`), in the words of the backend."""
    return list(config.get(f"conditionsV{family}") or [])


def read_backend(config: spec.Json) -> str:
    """Check the settings; "nftables" or "iptables": as asked, as the conditions speak, or what is installed."""
    for key in ("snat", "masqAll"):
        if not isinstance(config.get(key), bool | None):
            raise invalid_config(f"{key}: expected true or false, got {config[key]!r}")
    bit, chain = config.get("markMasqBit"), config.get("externalSetMarkChain")
    if bit is not None and chain is not None:
        raise invalid_config("Cannot specify externalSetMarkChain and markMasqBit")
    if bit is not None and not (isinstance(bit, int) and 0 <= bit <= 31):
        raise invalid_config(f"markMasqBit must be between 0 and 31, got {bit!r}")
    if chain is not None and not (isinstance(chain, str) and chain and chain.isascii() and not _odd(chain)):
        raise invalid_config(f"externalSetMarkChain: expected the name of a chain, got {chain!r}")
    hints = {"iptables"} if bit is not None or chain is not None else set()
    for key in ("conditionsV4", "conditionsV6"):
        words = config.get(key) or []
        if not isinstance(words, list) or not all(isinstance(w, str) and w and not _odd(w, " ") for w in words):
            raise invalid_config(f"{key}: expected a list of words, got {words!r}")
        if words:
            hints.add("iptables" if words[0][0] in "-!" else "nftables")
    if len(hints) > 1:
        raise invalid_config("settings of both backends at once: conditions in nft's words, and others for iptables")
    hint = hints.pop() if hints else ""
    name = config.get("backend") or hint or ("nftables" if tool.find("nft") else "iptables")
    if name not in ("nftables", "iptables"):
        raise invalid_config(f'unknown portmap backend {name!r}: expected "nftables" or "iptables"')
    if hint and name != hint:
        raise invalid_config(f"backend {name} cannot use settings that are for {hint}")
    return str(name)


def _odd(text: str, allowed: str = "") -> bool:
    return any((c.isspace() and c not in allowed) or ord(c) < 32 for c in text)


# -- mappings --------------------------------------------------------------------------------------------
def mappings(runtime: spec.Json, result: spec.Json) -> list[Mapping]:
    """The port mappings that the runtime asks for, onto the first address of each family. Pure."""
    wanted = runtime.get("portMappings") or []
    if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
        raise invalid_config("runtimeConfig.portMappings: expected a list of objects")
    pods: dict[int, str] = {}
    for ip in result.get("ips") or []:
        pods.setdefault(iface.family(ip["address"]), ip["address"])
    found = []
    for entry in wanted:
        protocol, host_ip, host_port, pod_port = _read(entry)
        for number, pod in pods.items():
            if not host_ip or iface.family(host_ip) == number:
                any_address = host_ip in ("0.0.0.0", "::")
                found.append(Mapping(protocol, "" if any_address else host_ip, host_port, pod, pod_port))
    return found


def _read(entry: spec.Json) -> tuple[str, str, int, int]:
    protocol = str(entry.get("protocol") or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise invalid_config(f"portMappings: unknown protocol {protocol!r} (tcp, udp or sctp)")
    ports = []
    for key in ("hostPort", "containerPort"):
        port = entry.get(key)
        if not isinstance(port, int) or not 1 <= port <= 65535:
            raise invalid_config(f"Invalid {key} number: {port} (1 to 65535)")
        ports.append(port)
    host_ip = str(entry.get("hostIP") or "")
    if host_ip:
        try:
            host_ip = ipmsg.unpack(ipmsg.pack(host_ip))
        except ValueError as bad:
            raise invalid_config(f"portMappings: hostIP {host_ip!r} is no IP address") from bad
    return protocol, host_ip, ports[0], ports[1]


def flush_udp(found: list[Mapping]) -> None:
    """Known UDP flows to the port bypass NAT rules and would never reach the pod."""
    wanted = {(m.host_port, m.host_ip) for m in found if m.protocol == "udp"}
    if not wanted:
        return
    conntrack.delete_where(
        lambda flow: flow.protocol == conntrack.UDP and ((flow.dport, flow.dst) in wanted or (flow.dport, "") in wanted)
    )


def _allow_localhost(found: list[Mapping]) -> None:
    """127.0.0.1:hostPort leads off the machine after NAT; the kernel drops such packets unless told otherwise."""
    for mapping in found:
        if mapping.family == 4:
            try:
                with Netlink() as nl:
                    fields = ipmsg.RouteFields(nl.request(ipmsg.route_get(mapping.pod_ip))[0])
                    device = int.from_bytes(fields.attrs[ipmsg.RTA_OIF], "little")
                    name = _link_name(nl, device)
                sysctl.ensure(f"net/ipv4/conf/{name}/route_localnet", "1")
            except NetlinkError as error:
                # No route to the pod, so far: then there is nothing to allow.
                if not isinstance(error, Missing) and error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                    raise
            return


def _link_name(nl: Netlink, index: int) -> str:
    from pybernetes.linux import linkmsg

    return read_text(linkmsg.decode(nl.request(linkmsg.get(index))[0])[2].get(linkmsg.IFLA_IFNAME))


def _backend(config: spec.Json) -> ModuleType:
    if read_backend(config) == "nftables":
        from pybernetes.cni import portmap_nft

        return portmap_nft
    from pybernetes.cni import portmap_iptables

    return portmap_iptables


def _all_backends() -> list[ModuleType]:
    from pybernetes.cni import portmap_iptables, portmap_nft

    return [portmap_nft, portmap_iptables]
