"""Finds SNAT rules of other programs that hide pods' addresses from pods on other nodes, such as Docker's:

    -A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE

They are reported with a way to make them harmless, and left alone, like everything that is not ours. The check looks at
iptables, where such rules usually are, and runs rarely, since they are usually made at boot.
"""

import asyncio
import ipaddress
import shlex
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase

from pybernetes.flannel.config import IPNetwork
from pybernetes.flannel.masquerade import PodNetwork
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.iptables import BACKENDS, Iptables

#: Flags with a value that are evaluated; a rule with any other flag is too narrow to matter, or unknown.
_VALUED = frozenset(("-s", "-d", "-o", "-j", "--comment", "--to-source", "--to-ports"))
_ALONE = frozenset(("--random", "--random-fully", "--persistent"))


def hiding(rule: str, net: PodNetwork, links: Collection[str]) -> bool:
    """Whether a rule, as iptables-save prints it, rewrites the source of packets from our pods to pods elsewhere.

    `links`: devices by which such packets leave. A rule with other matches, such as a mark or a port, counts as
    harmless.
    """
    try:
        words = shlex.split(rule)
    except ValueError:
        return False
    found = _read(words[2:]) if words[:2] == ["-A", "POSTROUTING"] else None
    if found is None or found.get("-j", (False, ""))[1] not in ("MASQUERADE", "SNAT"):
        return False
    leaves = any(_is(found.get("-o"), name) for name in links)
    return leaves and _covers(found.get("-s"), net.subnet) and _covers(found.get("-d"), net.network)


def _read(words: list[str]) -> dict[str, tuple[bool, str]] | None:
    """Value by flag, and whether it is negated; None for a rule with anything else in it."""
    found = {}
    negated, rest = False, iter(words)
    for word in rest:
        if word == "-m" and next(rest, "") == "comment":
            continue
        if word in _VALUED:
            found[word] = (negated, next(rest, ""))
        elif word not in _ALONE and word != "!":
            return None
        negated = word == "!"
    return found


def _is(match: tuple[bool, str] | None, name: str) -> bool:
    """Whether an interface match includes this link."""
    if match is None:
        return True
    negated, pattern = match
    return fnmatchcase(name, pattern[:-1] + "*" if pattern.endswith("+") else pattern) != negated


def _covers(match: tuple[bool, str] | None, pods: IPNetwork) -> bool:
    """Whether an address match includes some of these pods."""
    if match is None:
        return True
    negated, text = match
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    if network.version != pods.version:
        return False
    return not pods.subnet_of(network) if negated else network.overlaps(pods)  # type: ignore[arg-type]  # same family


def sentence(rule: str, net: PodNetwork) -> str:
    """The problem, and how to fix it."""
    return (
        f"an iptables rule of another program hides pods' addresses from pods on other nodes: '{rule}'; add"
        f" '! -d {net.network}' to it"
    )


class ForeignSnat:
    """Looks for such rules."""

    def __init__(self, target: str | None, *, every: float = 300.0) -> None:
        self._netns = target
        self._every = every
        self._networks: Sequence[PodNetwork] = ()
        self._links: frozenset[str] = frozenset()
        self._known = asyncio.Event()
        self.problems: list[str] = []

    def see(self, networks: Sequence[PodNetwork], links: frozenset[str]) -> None:
        """The pod networks of this node, and the devices by which packets leave for other nodes."""
        if (networks, links) != (self._networks, self._links):
            self._networks, self._links = networks, links
            self._known.set()

    async def run(self, changed: Callable[[], None]) -> None:
        """Until cancelled; calls `changed` when the problems change."""
        while True:
            await self._known.wait()
            before, self.problems = self.problems, await asyncio.to_thread(self._look)
            if self.problems != before:
                changed()
            self._known.clear()
            try:
                async with asyncio.timeout(self._every):
                    await self._known.wait()
            except TimeoutError:
                self._known.set()

    def _look(self) -> list[str]:
        found = []
        for net in self._networks:
            for backend in BACKENDS:
                iptables = Iptables(net.version, backend=backend, netns=self._netns)
                try:
                    rules = iptables.listing("nat", "POSTROUTING") if iptables.available() else None
                except LinuxError:
                    continue  # a kernel without this backend has no such rules
                found += [sentence(rule, net) for rule in rules or () if hiding(rule, net, self._links)]
        return list(dict.fromkeys(found))
