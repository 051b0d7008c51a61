"""What is in the kernel, for programs that share a table: each finds its own objects by name or by comment."""

from __future__ import annotations

from pybernetes.linux import fastjson, nft, tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybernetes.linux.netns import Netns

_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}


class Listing:
    """The objects of one table."""

    __slots__ = ("chains", "elements", "rules")

    def __init__(self) -> None:
        self.chains: list[str] = []
        self.elements: list[tuple[str, str, str]] = []
        """(map, key, chain that it leads to)"""
        self.rules: list[tuple[str, int, str]] = []
        """(chain, handle, comment)"""

    def commented(self, prefix: str, *, keep: tuple[str, ...] = ()) -> list[tuple[str, int]]:
        """(chain, handle) of the rules whose comment starts with `prefix` and with none of `keep`."""
        return [
            (chain, handle)
            for chain, handle, comment in self.rules
            if comment.startswith(prefix) and not comment.startswith(keep)
        ]


def observe(family: str, table: str, netns: Netns | None = None) -> Listing:
    """The table as it is; empty if there is none, or no nft."""
    if tool.find("nft") is None:
        return Listing()
    try:
        out = nft.run(["-n", "-j", "list", "table", family, table], netns=netns)
    except nft.NftMissing:
        return Listing()
    return read(fastjson.loads(out)["nftables"])


def read(objects: list[dict[str, Any]]) -> Listing:
    """A listing from nft's JSON (libnftables-json(5)). Pure."""
    found = Listing()
    for entry in objects:
        if "chain" in entry:
            found.chains.append(entry["chain"]["name"])
        elif "map" in entry:
            made = entry["map"]
            for key, verdict in made.get("elem", []):
                target = next((step["target"] for step in verdict.values() if step), "")
                found.elements.append((made["name"], _key(key, made["type"]), target))
        elif "rule" in entry:
            rule = entry["rule"]
            found.rules.append((rule["chain"], rule["handle"], rule.get("comment") or ""))
    return found


def _key(key: Any, kinds: Any) -> str:
    """`tcp . 80`: a key as scripts write it. With -n, nft lists protocols as numbers."""
    if not isinstance(key, dict) or "concat" not in key:
        return str(key)
    return " . ".join(
        [
            _PROTOCOLS.get(str(part), str(part)) if kind == "inet_proto" else str(part)
            for part, kind in zip(key["concat"], kinds, strict=True)
        ]
    )


def delete_rules(family: str, table: str, prefix: str, *, keep: tuple[str, ...] = ()) -> None:
    """Remove the rules whose comment starts with `prefix` and with none of `keep`."""
    for chain, handle in observe(family, table).commented(prefix, keep=keep):
        try:
            nft.apply(f"delete rule {family} {table} {chain} handle {handle}\n")
        except nft.NftMissing:
            pass  # another process removed it first
