"""Port mappings in iptables, with the same rules as the stock portmap plugin.

PREROUTING, OUTPUT  to a local address -> CNI-HOSTPORT-DNAT
CNI-HOSTPORT-DNAT   the attachment's ports -> CNI-DN-<hash>
CNI-DN-<hash>       neighbours and localhost -> CNI-HOSTPORT-SETMARK; then DNAT
POSTROUTING         marked -> CNI-HOSTPORT-MASQ -> MASQUERADE
"""

from __future__ import annotations

from pybernetes.cni import spec
from pybernetes.cni.names import chain_name, comment, quote
from pybernetes.linux import ipmsg, tool
from pybernetes.linux.errors import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybernetes.cni.port_mapping import Mapping, PortmapConfig

TOP = "CNI-HOSTPORT-DNAT"
SETMARK = "CNI-HOSTPORT-SETMARK"
MASQ = "CNI-HOSTPORT-MASQ"
MAX_PORTS = 15  # of the multiport match
_COMMANDS = {4: "iptables", 6: "ip6tables"}


def add(call: spec.Call, config: PortmapConfig, found: list[Mapping]) -> None:
    for family in (4, 6):
        own = [mapping for mapping in found if mapping.family == family]
        if own:
            _restore(family, script(call, config, own, saved(family)))


def script(call: spec.Call, config: PortmapConfig, found: list[Mapping], rules: list[str]) -> str:
    """The iptables-restore script for one family, given the existing rules. Pure."""
    chain = chain_name(call.network, call.container_id, "DN-")
    external = config.external_mark_chain
    shared = (TOP,) if external else (TOP, SETMARK, MASQ)
    declared = [name for name in shared if not _has_chain(rules, name)]
    lines = ["*nat", *(f":{name} - [0:0]" for name in declared), f":{chain} - [0:0]"]
    # A repeated ADD finds its own jumps; declaring the chain flushes it.
    lines += [f"-D{line[2:]}" for line in rules if line.startswith(f"-A {TOP} ") and line.endswith(f"-j {chain}")]
    lines += _shared_rules(rules, 0 if external else config.mark)
    extra = "".join(f" {quote(word)}" for word in config.conditions[found[0].family])
    for protocol in ("tcp", "udp", "sctp"):
        ports = [str(m.host_port) for m in found if m.protocol == protocol]
        for start in range(0, len(ports), MAX_PORTS):
            part = ",".join(ports[start : start + MAX_PORTS])
            match = f"-p {protocol} -m comment --comment {quote(_dnat_note(call))} -m multiport"
            lines.append(f"-A {TOP} {match} --destination-ports {part}{extra} -j {chain}")
    for mapping in found:
        match = f"-p {mapping.protocol}" + (f" -d {mapping.host_ip}" if mapping.host_ip else "")
        match += f" --dport {mapping.host_port}"
        if config.snat:
            lines += [f"-A {chain}{source} {match} -j {external or SETMARK}" for source in _sources(config, mapping)]
        target = mapping.pod_ip if mapping.family == 4 else f"[{mapping.pod_ip}]"
        lines.append(f"-A {chain} {match} -j DNAT --to-destination {target}:{mapping.pod_port}")
    return "\n".join([*lines, "COMMIT", ""])


def _sources(config: PortmapConfig, mapping: Mapping) -> list[str]:
    """Matches for packets that need source NAT: replies inside the pod's subnet would bypass the node's NAT."""
    if config.masquerade_all:
        return [""]
    return [f" -s {ipmsg.network(mapping.pod)}", " -s 127.0.0.1" if mapping.family == 4 else " -s ::1"]


def _dnat_note(call: spec.Call) -> str:
    return f"dnat {comment(call.network, call.container_id)}"


def _shared_rules(rules: list[str], mark: int) -> list[str]:
    """The shared rules that do not exist yet. `mark` 0: another program marks packets for source NAT."""
    bits = f"{mark:#x}/{mark:#x}"
    wanted = {
        SETMARK: f'-m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark {bits}',
        MASQ: f"-m mark --mark {bits} -j MASQUERADE",
    }
    lines = [f"-A {chain} {rule}" for chain, rule in wanted.items() if mark and f"-A {chain} {rule}" not in rules]
    for chain in ("PREROUTING", "OUTPUT"):
        if not _jumps(rules, chain, TOP):
            lines.append(f"-A {chain} -m addrtype --dst-type LOCAL -j {TOP}")
    if mark and not _jumps(rules, "POSTROUTING", MASQ):
        lines.append(f'-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j {MASQ}')
    return lines


def _jumps(rules: list[str], chain: str, target: str) -> bool:
    return any(line.startswith(f"-A {chain} ") and line.endswith(f"-j {target}" if target else "") for line in rules)


def _has_chain(rules: list[str], chain: str) -> bool:
    return any(line.startswith(f":{chain} ") for line in rules)


def delete(call: spec.Call) -> None:
    _delete_chains(lambda name, line: name == chain_name(call.network, call.container_id, "DN-"))


def gc(call: spec.Call) -> None:
    keep = {chain_name(call.network, container, "DN-") for container, _ in call.valid_attachments()}
    ours = f'name: "{call.network}" id: '
    _delete_chains(lambda name, line: ours in line.replace('\\"', '"') and name not in keep)


def _delete_chains(removed: Callable[[str, str], bool]) -> None:
    for family in (4, 6):
        rules = saved(family)
        chains = {
            line.rpartition(" -j ")[2]
            for line in rules
            if line.startswith(f"-A {TOP} ") and removed(line.rpartition(" -j ")[2], line)
        }
        # A stock plugin that crashed may have left a chain without a jump to it.
        chains |= {line[1:].split(" ")[0] for line in rules if line[0] == ":" and removed(line[1:].split(" ")[0], "")}
        if chains:
            _restore(family, removal_script(rules, chains))


def removal_script(rules: list[str], chains: set[str]) -> str:
    """The script that removes `chains` and the jumps to them. Pure."""
    present = sorted(chain for chain in chains if _has_chain(rules, chain))
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in present)]
    lines += [f"-D{line[2:]}" for line in rules if line.startswith("-A ") and line.rpartition(" -j ")[2] in present]
    lines += [f"-X {chain}" for chain in present]
    return "\n".join([*lines, "COMMIT", ""])


def present(call: spec.Call, found: list[Mapping]) -> bool:
    """Whether the attachment's chain holds a DNAT rule for every mapping."""
    chain = chain_name(call.network, call.container_id, "DN-")
    for mapping in found:
        target = mapping.pod_ip if mapping.family == 4 else f"[{mapping.pod_ip}]"
        ending = f"--to-destination {target}:{mapping.pod_port}"
        port = f" --dport {mapping.host_port} "
        rules = [line for line in saved(mapping.family) if line.startswith(f"-A {chain} ")]
        if not any(line.endswith(ending) and port in line for line in rules):
            return False
    return True


def saved(family: int) -> list[str]:
    """The nat rules of a family as iptables-save prints them; empty without that family or tool."""
    command = f"{_COMMANDS[family]}-save"
    if tool.find(command) is None:
        return []
    try:
        out = tool.run([command, "-t", "nat"])
    except ToolError:
        return []
    return [line.strip() for line in out.decode().splitlines() if line.strip()]


def _restore(family: int, text: str) -> None:
    tool.run([f"{_COMMANDS[family]}-restore", "--noflush", "--wait"], stdin=text.encode())
