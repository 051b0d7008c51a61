"""ipMasq: a pod's packets leave the pod network with the node's address.

By default these are iptables rules with the names and form of the stock plugins, so that either can remove the other's.
`"ipMasqBackend": "nftables"` uses nftables.

    POSTROUTING -s <pod> -> CNI-<hash>:  to the pod's own network: accept; to anything but multicast: MASQUERADE
"""

from __future__ import annotations

from pybernetes.cni import iface, spec
from pybernetes.cni.names import chain_name, comment, quote, rule_comment, rule_owner
from pybernetes.cni.result import Ip
from pybernetes.cni.rule_lock import exclusively
from pybernetes.linux import ipmsg, nft, tool
from pybernetes.linux.errors import ToolError
from pybernetes.linux.nftables import listing
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.table import Chain, Hook, Table, rule

MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_POSTROUTING = [rule(f"ip daddr {MULTICAST[4]} return"), rule(f"ip6 daddr {MULTICAST[6]} return")]
TABLE = Table(
    "inet",
    "cni_plugins_masquerade",
    chains=[
        Chain("masq_checks"),
        Chain("postrouting", [*_POSTROUTING, rule("goto masq_checks")], Hook("nat", "postrouting", "srcnat")),
    ],
)
"""Table, chains and comments are those of the stock plugins. Each attachment adds its rules to `masq_checks`."""


def add(call: spec.Call, ips: list[Ip]) -> None:
    """Masquerade for the addresses of an attachment."""
    if _uses_nft(call):
        nft.apply(nft_script(call.network, call.container_id, call.ifname, [ip.address for ip in ips]))
        return
    for number in (4, 6):
        addresses = [ip.address for ip in ips if ip.family == number]
        if addresses:
            script = iptables_script(call.network, call.container_id, addresses)
            tool.run([_command(number, "-restore"), "--noflush", "--wait"], stdin=script.encode())


def iptables_script(network: str, container_id: str, addresses: list[str]) -> str:
    """The iptables-restore script for one family's addresses. Pure."""
    chain, note = chain_name(network, container_id), quote(comment(network, container_id))
    number = iface.family(addresses[0])
    lines = ["*nat", f":{chain} - [0:0]"]
    for address in addresses:
        lines.append(f"-A {chain} -d {ipmsg.network(address)} -m comment --comment {note} -j ACCEPT")
        target = f"! -d {MULTICAST[number]} -m comment --comment {note} -j MASQUERADE"
        lines.append(f"-A {chain} {target}")
        lines.append(f"-A POSTROUTING -s {iface.plain(address)} -m comment --comment {note} -j {chain}")
    return "\n".join([*lines, "COMMIT", ""])


def nft_script(network: str, container_id: str, ifname: str, addresses: list[str]) -> str:
    """The nft script of an attachment. Pure."""
    script = Script(TABLE)
    script.declare_table()
    owner = rule_comment(network, container_id, ifname)
    for address in addresses:
        word = "ip" if iface.family(address) == 4 else "ip6"
        match = f"{word} saddr {iface.plain(address)} {word} daddr != {ipmsg.network(address)}"
        script.add_rule("masq_checks", rule(f"{match} masquerade", reason=owner))
    return str(script)


def delete(call: spec.Call) -> None:
    """Remove an attachment's rules, whichever backend made them."""
    exclusively(lambda: _delete_chains({chain_name(call.network, call.container_id)}))
    listing.delete_rules(TABLE.family, TABLE.name, rule_owner(call.network, call.container_id, call.ifname))


def gc(call: spec.Call) -> None:
    """Remove the rules of this network's containers that no longer exist."""
    exclusively(lambda: _gc_chains(call))
    existing = tuple(rule_owner(call.network, *pair) for pair in call.valid_attachments())
    listing.delete_rules(TABLE.family, TABLE.name, rule_owner(call.network), keep=existing)


def _gc_chains(call: spec.Call) -> None:
    keep = {chain_name(call.network, container) for container, _ in call.valid_attachments()}
    prefix = f'name: "{call.network}" id: '
    removed = set()
    for number in (4, 6):
        for line in _rules(number):
            if line.startswith("-A POSTROUTING ") and prefix in line.replace('\\"', '"'):
                removed.add(line.rpartition(" -j ")[2].strip())
    _delete_chains(removed - keep)


def _delete_chains(chains: set[str]) -> None:
    for number in (4, 6):
        script = removal_script(_rules(number), chains)
        if script:
            tool.run([_command(number, "-restore"), "--noflush", "--wait"], stdin=script.encode())


def removal_script(rules: list[str], chains: set[str]) -> str:
    """The iptables-restore script that removes `chains` and the jumps to them from saved rules. Pure."""
    present = sorted(chain for chain in chains if any(line.startswith(f":{chain} ") for line in rules))
    jumps = [line for line in rules if line.startswith("-A ") and line.rpartition(" -j ")[2].strip() in present]
    if not present:
        return ""
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in present)]
    lines += ["-D" + line[2:] for line in jumps]
    lines += [f"-X {chain}" for chain in present]
    return "\n".join([*lines, "COMMIT", ""])


def _rules(number: int) -> list[str]:
    if tool.find(_command(number, "-save")) is None:
        return []
    try:
        return tool.run([_command(number, "-save"), "-t", "nat"]).decode().splitlines()
    except ToolError:
        return []  # the kernel does not support this family


def _uses_nft(call: spec.Call) -> bool:
    backend = call.settings.text("ipMasqBackend")
    return backend == "nftables" if backend else tool.find("iptables-restore") is None


def _command(number: int, suffix: str) -> str:
    return ("iptables" if number == 4 else "ip6tables") + suffix
