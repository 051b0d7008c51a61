"""Scenarios as text: lines that make or break a cluster on paper, and questions with the answers expected.

    cluster vxlan nodes=2          a healthy cluster; `racks=2` puts a router between odd and even nodes
    remove route node-1 10.244.2.0/24
    remove neighbour|fdb|link|kernel|lease|subnet-env|rules node-1 [which]
    set link node-1 flannel.1 mtu=1500
    set fdb node-1 dst=192.0.2.99
    set node node-1 agent=false ready=false
    add address node-1 eth0 10.244.9.1/24
    add route node-1 10.244.2.0/25 eth0 192.0.2.1
    check                          what `network check` finds without probes
    trace 10.244.1.2 10.244.2.2

Text after `----` is the answer; INSIGHT_REWRITE=1 writes it anew.
"""

import os
from dataclasses import replace
from pathlib import Path

from cluster.insight import paper
from pybernetes.cluster.insight.check import judge
from pybernetes.cluster.insight.facts import ClusterFacts
from pybernetes.cluster.insight.trace import Target, trace
from pybernetes.linux.addr import Address
from pybernetes.linux.route import Route


class Script:
    """One scenario."""

    def __init__(self) -> None:
        self.facts: ClusterFacts = paper.cluster()

    def run(self, line: str) -> str | None:
        """The answer to a question, or None for anything else."""
        words = line.split()
        match words:
            case ["check"]:
                return "".join(f"{f.severity.value} {f.place} {f.code}: {f.cause}\n" for f in judge(self.facts, []))
            case ["trace", source, target]:
                world = paper.world(self.facts)
                return "\n".join(trace(world, world.pods[source], Target(target, target)).lines()) + "\n"
            case ["cluster", backend, *settings]:
                self.facts = paper.cluster(backend, **{k: _value(v) for k, v in (s.split("=") for s in settings)})
            case ["remove", what, node, *which]:
                self._remove(what, node, which[0] if which else "")
            case ["set", what, node, *rest]:
                self._set(what, node, rest)
            case ["add", "address", node, name, cidr]:
                kernel = paper.kernel(self.facts, node)
                made = Address(next(li.index for li in kernel.links if li.name == name), cidr)
                self.facts = paper.change(self.facts, node, addresses=(*kernel.addresses, made))
            case ["add", "route", node, dst, name, *via]:
                kernel = paper.kernel(self.facts, node)
                index = next(li.index for li in kernel.links if li.name == name)
                made_route = Route(dst, index, via[0] if via else "")
                self.facts = paper.change(self.facts, node, routes=(*kernel.routes, made_route))
            case _:
                raise ValueError(f"not understood: {line}")
        return None

    def _remove(self, what: str, node: str, which: str) -> None:
        kernel = paper.kernel(self.facts, node)
        if what == "route":
            values: dict[str, object] = {"routes": tuple(r for r in kernel.routes if r.dst != which)}
        elif what == "neighbour":
            values = {"neighbours": ()}
        elif what == "fdb":
            values = {"forwarding": ()}
        elif what == "address":
            values = {"addresses": tuple(a for a in kernel.addresses if a.cidr != which)}
        elif what == "link":
            self.facts = paper.relink(self.facts, node, which)
            return
        elif what == "rules":
            values = {"rules": {"flannel-ipv4": None}}
        else:
            values = {what.replace("-", "_"): None}
        self.facts = paper.change(self.facts, node, **values)

    def _set(self, what: str, node: str, rest: list[str]) -> None:
        kernel = paper.kernel(self.facts, node)
        if what == "link":
            values = {k: _value(v) for k, v in (setting.split("=") for setting in rest[1:])}
            self.facts = paper.relink(self.facts, node, rest[0], **values)
            return
        values = {k: _value(v) for k, v in (setting.split("=", 1) for setting in rest)}
        if what == "fdb":
            self.facts = paper.change(
                self.facts, node, forwarding=tuple(replace(e, **values) for e in kernel.forwarding)
            )
        elif what == "neighbour":
            self.facts = paper.change(
                self.facts, node, neighbours=tuple(replace(e, **values) for e in kernel.neighbours)
            )
        elif what == "forwards":
            self.facts = paper.change(self.facts, node, forwards={4: bool(values["on"]), 6: True})
        else:
            self.facts = paper.change(self.facts, node, **values)


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


def play(path: Path) -> None:
    """Run a file; compare, or rewrite."""
    script = Script()
    written: list[str] = []
    blocks = path.read_text().split("\n\n")
    for block in blocks:
        question, divider, _ = block.partition("\n----")
        answers = [script.run(line) for line in question.splitlines() if line and not line.startswith("#")]
        said = "".join(answer for answer in answers if answer is not None)
        said = "\n".join(line for line in said.splitlines() if line.strip())
        written.append(f"{question}\n----\n{said or '(nothing)'}" if divider or said else question)
    text = "\n\n".join(block.strip("\n") for block in written) + "\n"
    if os.environ.get("INSIGHT_REWRITE"):
        path.write_text(text)
    assert path.read_text() == text
