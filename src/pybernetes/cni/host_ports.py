"""Applies port mappings with one of two backends, and the kernel settings that they need.

`portmap_nft` (the default) has its own table; `portmap_iptables` (`"backend": "iptables"`) writes the rules of the
stock plugin, so that either can remove the other's.
"""

from __future__ import annotations

import errno

from pybernetes.cni import errors, port_mapping, portmap_iptables, portmap_nft, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.port_mapping import Mapping, PortmapConfig
from pybernetes.cni.rule_lock import exclusively
from pybernetes.linux import conntrack, ipmsg, linkmsg, sysctl, tool
from pybernetes.linux.errors import LinuxError, Missing, NetlinkError
from pybernetes.linux.rtnl import Netlink, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from pybernetes.cni.result import Result

    class Backend(Protocol):
        """A module that writes mappings as rules of one packet filter."""

        def add(self, call: spec.Call, config: PortmapConfig, found: list[Mapping]) -> None:
            """Map the ports of an attachment."""

        def delete(self, call: spec.Call) -> None:
            """Remove an attachment's mappings, if there are any."""

        def gc(self, call: spec.Call) -> None:
            """Remove the mappings of this network's attachments that no longer exist."""

        def present(self, call: spec.Call, found: list[Mapping]) -> bool:
            """Whether the mappings are there."""


BACKENDS: dict[str, Backend] = {"nftables": portmap_nft, "iptables": portmap_iptables}
_COMMANDS = {"nftables": "nft", "iptables": "iptables-restore"}


def add(call: spec.Call, result: Result) -> None:
    """Map the ports; after a failure none of them is mapped."""
    config = PortmapConfig(call.settings)
    found = port_mapping.mappings(call.runtime, result)
    if not found:
        return
    backend = BACKENDS[config.backend]
    try:
        exclusively(lambda: backend.add(call, config, found))
        if config.snat:
            _allow_localhost(found)
    except LinuxError:
        delete(call)
        raise
    flush_udp(found)


def delete(call: spec.Call) -> None:
    for backend in BACKENDS.values():
        exclusively(lambda backend=backend: backend.delete(call))  # type: ignore[misc]


def check(call: spec.Call, result: Result) -> None:
    config = PortmapConfig(call.settings)
    found = port_mapping.mappings(call.runtime, result)
    if found and not BACKENDS[config.backend].present(call, found):
        raise CniError(errors.CHECK_FAILED, f"port mappings of container {call.container_id} are missing")


def gc(call: spec.Call) -> None:
    for backend in BACKENDS.values():
        exclusively(lambda backend=backend: backend.gc(call))  # type: ignore[misc]


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid and the tool of the backend is installed."""
    command = _COMMANDS[PortmapConfig(call.settings).backend]
    if tool.find(command) is None:
        raise CniError(errors.NOT_AVAILABLE, f"{command} is not installed")


def flush_udp(found: list[Mapping]) -> None:
    """Delete known UDP flows to the ports: they bypass NAT rules and would never reach the pod."""
    wanted = {(m.host_port, m.host_ip) for m in found if m.protocol == "udp"}
    if not wanted:
        return
    conntrack.delete_where(
        lambda flow: flow.protocol == conntrack.UDP and ((flow.dport, flow.dst) in wanted or (flow.dport, "") in wanted)
    )


def _allow_localhost(found: list[Mapping]) -> None:
    """Make 127.0.0.1:hostPort work: without route_localnet, the kernel drops its packets after NAT."""
    for mapping in found:
        if mapping.family == 4:
            try:
                with Netlink() as nl:
                    fields = ipmsg.RouteFields(nl.request(ipmsg.route_get(mapping.pod_ip))[0])
                    device = int.from_bytes(fields.attrs[ipmsg.RTA_OIF], "little")
                    name = _link_name(nl, device)
                sysctl.ensure(f"net/ipv4/conf/{name}/route_localnet", "1")
            except NetlinkError as error:
                # Without a route to the pod there is nothing to allow.
                if not isinstance(error, Missing) and error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                    raise
            return


def _link_name(nl: Netlink, index: int) -> str:
    return read_text(linkmsg.decode(nl.request(linkmsg.get(index))[0])[2].get(linkmsg.IFLA_IFNAME))
