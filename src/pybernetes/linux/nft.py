"""nftables through the `nft` command: applies scripts and lists tables. A script is one transaction.

Light on imports, because CNI plugins use it. `nftables` describes tables and writes the scripts.
"""

from __future__ import annotations

from pybernetes.linux import tool
from pybernetes.linux.errors import LinuxError, ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybernetes.linux.netns import Netns


class NftError(LinuxError):
    """nft rejected a script; the message ends with the line at fault."""

    def __init__(self, cause: ToolError, script: str) -> None:
        super().__init__(f"{cause}\n{_culprit(cause.stderr, script)}".rstrip())
        self.stderr = cause.stderr


class NftMissing(NftError):
    """A script or command names a table, chain, set or element that does not exist."""


def apply(script: str, netns: Netns | None = None) -> None:
    """Apply a script, completely or not at all."""
    run(["-f", "-"], script, netns)


def list_text(family: str, table: str, netns: Netns | None = None) -> str | None:
    """A table as nft prints it; None if it does not exist."""
    try:
        return run(["list", "table", family, table], "", netns).decode()
    except NftMissing:
        return None


def list_table(family: str, table: str, netns: Netns | None = None) -> list[dict[str, Any]] | None:
    """A table's objects in nft's JSON form (libnftables-json(5)); None if it does not exist."""
    import json

    try:
        out = run(["-j", "list", "table", family, table], "", netns)
    except NftMissing:
        return None
    objects: list[dict[str, Any]] = json.loads(out)["nftables"]
    return [entry for entry in objects if "metainfo" not in entry]


def list_all(netns: Netns | None = None) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The objects of every table, in JSON form, by (family, name)."""
    import json

    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in json.loads(run(["-j", "list", "ruleset"], "", netns))["nftables"]:
        ((kind, body),) = entry.items()
        if kind == "table":
            found.setdefault((body["family"], body["name"]), [])
        elif kind != "metainfo":
            found.setdefault((body["family"], body["table"]), []).append(entry)
    return found


def list_tables(netns: Netns | None = None) -> list[tuple[str, str]]:
    """(family, name) of every table of the namespace."""
    import json

    out = json.loads(run(["-j", "list", "tables"], "", netns))
    return [(t["table"]["family"], t["table"]["name"]) for t in out["nftables"] if "table" in t]


def delete_table(family: str, table: str, netns: Netns | None = None) -> bool:
    """Delete a table with everything in it. Returns whether it existed."""
    try:
        run(["delete", "table", family, table], "", netns)
    except NftMissing:
        return False
    return True


def run(args: list[str], script: str = "", netns: Netns | None = None) -> bytes:
    """Run nft; its standard output. Raises NftError, or NftMissing if an object that it names does not exist."""
    try:
        return tool.run(["nft", *args], stdin=script.encode(), netns=netns)
    except ToolError as error:
        missing = "No such file or directory" in error.stderr
        raise (NftMissing if missing else NftError)(error, script) from error


def _culprit(stderr: str, script: str) -> str:
    """The line of the script that `/dev/stdin:LINE:COLUMN-...` in nft's message refers to."""
    place = stderr.partition("/dev/stdin:")[2].partition(":")[0]
    lines = script.splitlines()
    if place.isdigit() and 0 < int(place) <= len(lines):
        return f"line {place}: {lines[int(place) - 1].strip()}"
    return ""
