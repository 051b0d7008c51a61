"""Names and comments of the rules of an attachment, in the form of the stock plugins."""

from __future__ import annotations


def attachment_hash(network: str, container_id: str) -> str:
    """A hexadecimal digest that identifies an attachment."""
    return _digest(network + container_id)


def _digest(text: str) -> str:
    try:
        from _sha512 import sha512  # type: ignore[import-not-found]  # hashlib takes 5 ms to import
    except ImportError:
        from hashlib import sha512
    return str(sha512(text.encode()).hexdigest())


def chain_name(network: str, container_id: str, prefix: str = "") -> str:
    """The chain of an attachment, within iptables' limit of 28 characters."""
    return ("CNI-" + prefix + attachment_hash(network, container_id))[:28]


def comment(network: str, container_id: str) -> str:
    """The comment of an attachment's iptables rules."""
    return f'name: "{network}" id: "{container_id}"'


def rule_owner(network: str, container_id: str = "", ifname: str = "") -> str:
    """The prefix of the comments of an attachment's nftables rules; without a container, of a network's."""
    owner = _digest(network)[:16] + "-"
    return owner + _digest(f"{ifname}:{container_id}")[:16] if container_id else owner


def rule_comment(network: str, container_id: str, ifname: str) -> str:
    """The comment of an attachment's nftables rules: the prefix, then the attachment in readable form."""
    whose = f"{rule_owner(network, container_id, ifname)}, net: {network}, if: {ifname}, id: {container_id}"
    return whose.replace('"', "")[:128]


def quote(text: str) -> str:
    """An argument in an iptables-restore script."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
