"""macspoofchk: a pod sends under the MAC that it was given, or its frames are dropped at its port of the bridge.

    table bridge cni_macspoof, chain prerouting:  iifname <host veth>  ether saddr != <MAC>  drop

The rules carry a comment that says whose they are; DEL and GC find them by it.
"""

from __future__ import annotations

from pybernetes.cni import spec
from pybernetes.cni.names import rule_comment, rule_owner
from pybernetes.linux import nft

TABLE = "cni_macspoof"


def add(call: spec.Call, host: str, mac: str) -> None:
    """Hold the pod behind `host` to `mac`."""
    nft.apply(script(call, host, mac))


def script(call: spec.Call, host: str, mac: str) -> str:
    """What nft gets. Pure."""
    note = rule_comment(call.network, call.container_id, call.ifname)
    return (
        f"table bridge {TABLE} {{\n"
        " chain prerouting { type filter hook prerouting priority -300; policy accept; }\n"
        "}\n"
        f'add rule bridge {TABLE} prerouting iifname "{host}" ether saddr != {mac} drop comment "{note}"\n'
    )


def present(call: spec.Call) -> bool:
    """Whether the attachment has its rule."""
    owner = rule_owner(call.network, call.container_id, call.ifname)
    return any(str(rule.get("comment")).startswith(owner) for rule in nft.rules_of("bridge", TABLE))


def delete(call: spec.Call) -> None:
    nft.delete_rules("bridge", TABLE, rule_owner(call.network, call.container_id, call.ifname))


def gc(call: spec.Call) -> None:
    """Remove the rules of this network's attachments that are no more."""
    keep = tuple(rule_owner(call.network, *pair) for pair in call.valid_attachments())
    nft.delete_rules("bridge", TABLE, rule_owner(call.network), keep=keep)
