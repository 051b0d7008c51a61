"""Names of rules that belong to one attachment, as the stock plugins form them."""

from __future__ import annotations


def attachment_hash(network: str, container_id: str) -> str:
    """Hexadecimal digest that tells attachments apart."""
    data = (network + container_id).encode()
    try:
        from _sha512 import sha512  # type: ignore[import-not-found]  # hashlib takes 5 ms to import
    except ImportError:
        from hashlib import sha512
    return str(sha512(data).hexdigest())


def chain_name(network: str, container_id: str, prefix: str = "") -> str:
    """The chain of an attachment: iptables allows 28 characters."""
    return ("CNI-" + prefix + attachment_hash(network, container_id))[:28]


def comment(network: str, container_id: str) -> str:
    """The note on rules that says whose they are."""
    return f'name: "{network}" id: "{container_id}"'


def quote(text: str) -> str:
    """An argument in an iptables-restore script."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
