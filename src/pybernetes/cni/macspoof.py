"""macspoofchk: drops frames that a pod sends with a source MAC other than its own.

    table bridge cni_macspoof, chain prerouting:  iifname <host veth>  ether saddr != <MAC>  drop

The comment of each rule names its attachment; DEL and GC find the rules by it.
"""

from __future__ import annotations

from pybernetes.cni import spec
from pybernetes.cni.names import rule_comment, rule_owner
from pybernetes.linux import nft
from pybernetes.linux.nftables import listing
from pybernetes.linux.nftables.script import Script
from pybernetes.linux.nftables.table import Chain, Hook, Table, rule

TABLE = Table("bridge", "cni_macspoof", chains=[Chain("prerouting", hook=Hook("filter", "prerouting", "-300"))])


def add(call: spec.Call, host: str, mac: str) -> None:
    """Drop what the pod behind `host` sends with a MAC other than `mac`."""
    nft.apply(script(call, host, mac))


def script(call: spec.Call, host: str, mac: str) -> str:
    """The nft script of an attachment. Pure."""
    made = Script(TABLE)
    made.declare_table()
    owner = rule_comment(call.network, call.container_id, call.ifname)
    made.add_rule("prerouting", rule(f'iifname "{host}" ether saddr != {mac} drop', reason=owner))
    return str(made)


def present(call: spec.Call) -> bool:
    """Whether the attachment has its rule."""
    owner = rule_owner(call.network, call.container_id, call.ifname)
    return bool(listing.observe(TABLE.family, TABLE.name).commented(owner))


def delete(call: spec.Call) -> None:
    listing.delete_rules(TABLE.family, TABLE.name, rule_owner(call.network, call.container_id, call.ifname))


def gc(call: spec.Call) -> None:
    """Remove the rules of this network's attachments that no longer exist."""
    keep = tuple(rule_owner(call.network, *pair) for pair in call.valid_attachments())
    listing.delete_rules(TABLE.family, TABLE.name, rule_owner(call.network), keep=keep)
