"""iptables-save and iptables-restore, for IPv4 and IPv6, with either kernel backend.

Rules are written in the format of iptables-restore. Restores flush only the chains that they name (`--noflush`) and
wait for the xtables lock (`--wait`).
"""

from __future__ import annotations

from pybernetes.linux import netns, tool
from pybernetes.linux.errors import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.netns import Netns

BACKENDS = ("nft", "legacy")


class Iptables:
    """The iptables of one family in one namespace.

    `backend` is `nft` or `legacy`; empty for the system's default (`detect` finds the one in use).
    """

    def __init__(self, family: int = 4, *, backend: str = "", netns: Netns | None = None) -> None:
        self.family = family
        self.backend = backend
        self.netns = netns
        name = "iptables" if family == 4 else "ip6tables"
        self._command = f"{name}-{backend}" if backend else name

    def available(self) -> bool:
        """Whether the commands are installed."""
        return tool.find(self._command) is not None

    def save(self, table: str = "") -> str:
        """All rules, or those of one table, as iptables-save prints them."""
        arguments = ["-t", table] if table else []
        return tool.run([f"{self._command}-save", *arguments], netns=self.netns).decode()

    def restore(self, script: str) -> None:
        """Apply a script. Chains that it declares (`:NAME - [0:0]`) are flushed first; all others stay."""
        tool.run(
            [f"{self._command}-restore", "--noflush", "--wait"],
            stdin=script.encode(),
            netns=self.netns,
        )

    def run(self, *arguments: str) -> str:
        """Run one iptables command, for example `run("-t", "nat", "-S", "POSTROUTING")`."""
        return tool.run([self._command, "--wait", *arguments], netns=self.netns).decode()

    def listing(self, table: str, chain: str) -> list[str] | None:
        """One chain as iptables prints it, with its declaration; None if it does not exist.

        The cost does not depend on the number of other rules, unlike that of `save`. Never creates a table.
        """
        if self.backend == "legacy" and table not in self._legacy_tables():
            return None
        try:
            return self.run("-t", table, "-S", chain).splitlines()
        except ToolError as absent:
            if absent.code != 1:
                raise
            return None

    def _legacy_tables(self) -> list[str]:
        path = f"/proc/thread-self/net/{'ip' if self.family == 4 else 'ip6'}_tables_names"

        def read() -> list[str]:
            try:
                with open(path) as file:
                    return file.read().split()
            except OSError:
                return []

        return netns.run_in(self.netns, read)

    def chains(self, table: str) -> set[str]:
        """The names of a table's chains."""
        lines = self.save(table).splitlines()
        return {line[1:].split(" ", 1)[0] for line in lines if line.startswith(":")}

    def ensure_rule(self, table: str, chain: str, rule: list[str], *, first: bool = False) -> bool:
        """Add `rule` at the start or end of `chain` unless it is there. Returns whether it was added."""
        try:
            self.run("-t", table, "-C", chain, *rule)
        except ToolError as absent:
            if absent.code != 1:
                raise
            self.run("-t", table, "-I" if first else "-A", chain, *rule)
            return True
        return False

    def delete_rule(self, table: str, chain: str, rule: list[str]) -> bool:
        """Delete `rule`. Returns whether it existed."""
        try:
            self.run("-t", table, "-D", chain, *rule)
        except ToolError as absent:
            if absent.code not in (1, 2):
                raise
            return False
        return True


def detect(netns: Netns | None = None) -> str:
    """The backend that other programs on this node use: the one with more rules. `nft` if both have none.

    Rules of the two backends do not see each other, so all programs on a node should use the same one.
    """
    counts = {}
    for backend in BACKENDS:
        iptables = Iptables(4, backend=backend, netns=netns)
        if iptables.available():
            lines = iptables.save().splitlines()
            counts[backend] = sum(line.startswith("-A") for line in lines)
    if not counts:
        return ""
    return max(counts, key=lambda backend: counts[backend])
