"""IP sets through the `ipset` command: sets that iptables rules can match against."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.linux import tool
from pybernetes.linux.errors import ToolError
from pybernetes.linux.netns import Netns

STAGING_SUFFIX = "-new"


def names(netns: Netns | None = None) -> list[str]:
    """The names of all sets."""
    return tool.run(["ipset", "list", "-n"], netns=netns).decode().split()


def members(name: str, netns: Netns | None = None) -> set[str]:
    """The entries of a set."""
    lines = tool.run(["ipset", "save", name], netns=netns).decode().splitlines()
    return {line.split(" ", 2)[2] for line in lines if line.startswith(f"add {name} ")}


def replace(name: str, kind: str, entries: Iterable[str], *, family: int = 4, netns: Netns | None = None) -> None:
    """Make the set contain exactly `entries`. For rules that match against it, it changes in one step.

    A second set is filled and swapped in.
    """
    options = "family inet6" if family == 6 and kind.startswith("hash:") else ""
    staging = name[: 31 - len(STAGING_SUFFIX)] + STAGING_SUFFIX
    lines = [f"create -exist {name} {kind} {options}", f"create -exist {staging} {kind} {options}"]
    lines.append(f"flush {staging}")
    lines += [f"add -exist {staging} {entry}" for entry in entries]
    lines += [f"swap {staging} {name}", f"destroy {staging}"]
    tool.run(["ipset", "restore"], stdin=("\n".join(lines) + "\n").encode(), netns=netns)


def destroy(name: str, netns: Netns | None = None) -> bool:
    """Delete a set. Returns whether it existed. Raises ToolError while a rule uses it."""
    try:
        tool.run(["ipset", "destroy", name], netns=netns)
    except ToolError as error:
        if "does not exist" not in error.stderr:
            raise
        return False
    return True
