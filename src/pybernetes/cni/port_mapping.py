"""Host ports as values, out of what the runtime asks for, and what carries them out.

Two renderers for the same mappings: `portmap_nft` (default; one table of our own) and `portmap_iptables`
(`"backend": "iptables"`; the very rules of the stock plugin, so that either removes the other's).
"""

from __future__ import annotations

from pybernetes.cni import errors, iface, spec
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.linux import conntrack, ipmsg, sysctl, tool
from pybernetes.linux.errors import LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

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
    try:
        _backend(call.config).add(call, found)
        if call.config.get("snat", True):
            _allow_localhost(found)
    except LinuxError:
        delete(call)
        raise
    flush_udp(found)


def delete(call: spec.Call) -> None:
    for backend in _all_backends():
        backend.delete(call)


def check(call: spec.Call, result: spec.Json) -> None:
    found = mappings(call.runtime, result)
    if found and not _backend(call.config).present(call, found):
        raise CniError(errors.CHECK_FAILED, f"port mappings of container {call.container_id} are missing")


def gc(call: spec.Call) -> None:
    for backend in _all_backends():
        backend.gc(call)


def status(call: spec.Call) -> None:
    _backend(call.config)


def mappings(runtime: spec.Json, result: spec.Json) -> list[Mapping]:
    """The port mappings that the runtime asks for, onto the first address of each family. Pure."""
    wanted = runtime.get("portMappings") or []
    if not isinstance(wanted, list):
        raise invalid_config("runtimeConfig.portMappings: expected a list")
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
            except Missing:
                pass  # no route to the pod yet: then there is nothing to allow
            return


def _link_name(nl: Netlink, index: int) -> str:
    from pybernetes.linux import linkmsg

    return read_text(linkmsg.decode(nl.request(linkmsg.get(index))[0])[2].get(linkmsg.IFLA_IFNAME))


def _backend(config: spec.Json) -> ModuleType:
    name = config.get("backend") or ("nftables" if tool.find("nft") else "iptables")
    if name == "nftables":
        from pybernetes.cni import portmap_nft

        return portmap_nft
    if name == "iptables":
        from pybernetes.cni import portmap_iptables

        return portmap_iptables
    raise invalid_config(f'unknown portmap backend {name!r}: expected "nftables" or "iptables"')


def _all_backends() -> list[ModuleType]:
    from pybernetes.cni import portmap_iptables, portmap_nft

    return [portmap_nft, portmap_iptables]
