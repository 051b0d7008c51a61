"""Names of rules that belong to one attachment, as the stock plugins form them."""

from __future__ import annotations


def attachment_hash(network: str, container_id: str) -> str:
    """Hexadecimal digest that tells attachments apart."""
    return _digest(network + container_id)


def _digest(text: str) -> str:
    try:
        from _sha512 import sha512  # type: ignore[import-not-found]  # hashlib takes 5 ms to import
    except ImportError:
        from hashlib import sha512
    return str(sha512(text.encode()).hexdigest())


def chain_name(network: str, container_id: str, prefix: str = "") -> str:
    """The chain of an attachment: iptables allows 28 characters."""
    return ("CNI-" + prefix + attachment_hash(network, container_id))[:28]


def comment(network: str, container_id: str) -> str:
    """The note on rules that says whose they are."""
    return f'name: "{network}" id: "{container_id}"'


def rule_owner(network: str, container_id: str = "", ifname: str = "") -> str:
    """What the comments of an attachment's nftables rules begin with; without a container, those of a network."""
    owner = _digest(network)[:16] + "-"
    return owner + _digest(f"{ifname}:{container_id}")[:16] if container_id else owner


def rule_comment(network: str, container_id: str, ifname: str) -> str:
    """The comment itself: whose it is, for machines and for people. nftables allows 128 characters."""
    whose = f"{rule_owner(network, container_id, ifname)}, net: {network}, if: {ifname}, id: {container_id}"
    return whose.replace('"', "")[:128]


def quote(text: str) -> str:
    """An argument in an iptables-restore script."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
