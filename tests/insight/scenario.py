"""Scenarios as text: lines that build or break a fake cluster, and questions with the expected answers.

    cluster vxlan nodes=2          a healthy cluster; `racks=2` puts a router between odd and even nodes
    remove route node-1 10.244.2.0/24
    remove neighbour|fdb|link|kernel|lease|subnet-env|rules node-1 [which]
    set link node-1 flannel.1 mtu=1500
    set fdb node-1 dst=192.0.2.99
    set node node-1 agent=false ready=false
    remove peers|proxy|bird node-1
    set lease node-2 subnet=10.244.1.0/24
    set setting node-1 net.bridge.bridge-nf-call-iptables=0
    set session node-1 node-2 Active Socket: Connection refused
    set policies default=2
    firewall node-1 -o flannel.1 -j ACCEPT
    set wireguard node-1 allowed=10.244.9.0/24
    add address node-1 eth0 10.244.9.1/24
    add route node-1 10.244.2.0/25 eth0 192.0.2.1
    check                          what `network check` finds without probes
    trace 10.244.1.2 10.244.2.2

Text after `----` is the answer; INSIGHT_REWRITE=1 rewrites it.
"""

import ipaddress
import os
from dataclasses import replace
from pathlib import Path

from insight import fakes
from pybernetes.flannel.backends.bgp.bird import protocol_name
from pybernetes.flannel.backends.bgp.control import SessionState
from pybernetes.insight.check import judge
from pybernetes.insight.facts import BirdFacts, ClusterFacts
from pybernetes.insight.trace import Target, trace
from pybernetes.linux.addr import Address
from pybernetes.linux.route import Route
from pybernetes.linux.wireguard import Endpoint


class Script:
    """One scenario."""

    def __init__(self) -> None:
        self.facts: ClusterFacts = fakes.cluster()

    def run(self, line: str) -> str | None:
        """The answer to a question, or None for anything else."""
        words = line.split()
        match words:
            case ["check"]:
                return "".join(f"{f.severity.value} {f.place} {f.code}: {f.cause}\n" for f in judge(self.facts, []))
            case ["trace", source, target]:
                facts = fakes.trace_facts(self.facts)
                return "\n".join(trace(facts, facts.pods[source], Target(target, target)).lines()) + "\n"
            case ["cluster", backend, *settings]:
                self.facts = fakes.cluster(backend, **{k: _value(v) for k, v in (s.split("=") for s in settings)})
            case ["firewall", node, *rule]:
                # In iptables: the policy drops everything that the rule, if any, does not accept.
                lines = "\n".join(["filter", ":FORWARD DROP [0:0]", f"-A FORWARD {' '.join(rule)}" if rule else ""])
                self.facts = fakes.change(self.facts, node, iptables={"ip filter": lines})
            case ["set", "policies", *counts]:
                found = {name: int(count) for name, count in (text.split("=") for text in counts)}
                self.facts = replace(self.facts, policies=found)
            case ["remove", what, node, *which]:
                self._remove(what, node, which[0] if which else "")
            case ["set", what, node, *rest]:
                self._set(what, node, rest)
            case ["add", "address", node, name, cidr]:
                kernel = fakes.kernel(self.facts, node)
                made = Address(next(li.index for li in kernel.links if li.name == name), cidr)
                self.facts = fakes.change(self.facts, node, addresses=(*kernel.addresses, made))
            case ["add", "route", node, dst, name, *via]:
                kernel = fakes.kernel(self.facts, node)
                index = next(li.index for li in kernel.links if li.name == name)
                made_route = Route(dst, index, via[0] if via else "")
                self.facts = fakes.change(self.facts, node, routes=(*kernel.routes, made_route))
            case _:
                raise ValueError(f"unknown line: {line}")
        return None

    def _remove(self, what: str, node: str, which: str) -> None:
        kernel = fakes.kernel(self.facts, node)
        if what == "route":
            values: dict[str, object] = {"routes": tuple(r for r in kernel.routes if r.dst != which)}
        elif what == "neighbour":
            values = {"neighbours": ()}
        elif what == "fdb":
            values = {"forwarding": ()}
        elif what == "address":
            values = {"addresses": tuple(a for a in kernel.addresses if a.cidr != which)}
        elif what == "link":
            self.facts = fakes.relink(self.facts, node, which)
            return
        elif what == "peers":
            (device,) = kernel.wireguards
            values = {"wireguards": (replace(device, peers=()),)}
        elif what == "proxy":
            values = {"udp_ports": frozenset()}
        elif what == "bird":
            values = {"bird": BirdFacts("/run/bird.ctl", False)}
        elif what == "rules":
            values = {"rules": {"flannel-ipv4": None}}
        else:
            values = {what.replace("-", "_"): None}
        self.facts = fakes.change(self.facts, node, **values)

    def _set(self, what: str, node: str, rest: list[str]) -> None:
        kernel = fakes.kernel(self.facts, node)
        if what == "link":
            values = {k: _value(v) for k, v in (setting.split("=") for setting in rest[1:])}
            self.facts = fakes.relink(self.facts, node, rest[0], **values)
            return
        if what == "session":
            self._set_session(node, rest)
            return
        values = {k: _value(v) for k, v in (setting.split("=", 1) for setting in rest)}
        if what == "fdb":
            self.facts = fakes.change(
                self.facts, node, forwarding=tuple(replace(e, **values) for e in kernel.forwarding)
            )
        elif what == "neighbour":
            self.facts = fakes.change(
                self.facts, node, neighbours=tuple(replace(e, **values) for e in kernel.neighbours)
            )
        elif what == "forwards":
            self.facts = fakes.change(self.facts, node, forwards={4: bool(values["on"]), 6: True})
        elif what == "forwards6":
            self.facts = fakes.change(self.facts, node, forwards={4: True, 6: bool(values["on"])})
        elif what == "setting":
            changed = {k: str(v) for k, v in values.items()}
            self.facts = fakes.change(self.facts, node, settings={**kernel.settings, **changed})
        elif what == "lease":
            self._set_lease(node, values)
        elif what == "wireguard":
            self._set_wireguard(node, values)
        else:
            self.facts = fakes.change(self.facts, node, **values)

    def _set_lease(self, node: str, values: dict[str, object]) -> None:
        """`subnet=`, `public_ip=`, or a value of the backend's data."""
        facts = self.facts.node(node)
        assert facts is not None and facts.lease is not None
        (part,) = facts.lease.families
        known = {"subnet": ipaddress.ip_network, "public_ip": ipaddress.ip_address}
        own = {key: known[key](values[key]) for key in known if key in values}
        data = {**part.data, **{key: value for key, value in values.items() if key not in known}}
        part = replace(part, data=data, **own)
        self.facts = fakes.change(self.facts, node, lease=replace(facts.lease, families=(part,)))

    def _set_session(self, node: str, rest: list[str]) -> None:
        """Take the session with a peer down; the words after its name are BIRD's error."""
        facts = self.facts.node(node)
        assert facts is not None and facts.bird is not None
        peer = self.facts.node(rest[0])
        assert peer is not None and peer.lease is not None
        name = protocol_name(str(peer.lease.families[0].public_ip))
        states = [
            SessionState(name, False, " ".join(rest[1:])) if state.name == name else state
            for state in facts.bird.sessions
        ]
        self.facts = fakes.change(self.facts, node, bird=replace(facts.bird, sessions=tuple(states)))

    def _set_wireguard(self, node: str, values: dict[str, object]) -> None:
        """`public_key=`; or `allowed=`, `endpoint=` of the first peer."""
        (device,) = fakes.kernel(self.facts, node).wireguards
        (first, *others) = device.peers
        if "allowed" in values:
            first = replace(first, allowed=frozenset([str(values["allowed"])]))
        if "endpoint" in values:
            first = replace(first, endpoint=Endpoint(str(values["endpoint"]), 51820))
        device = replace(device, public_key=str(values.get("public_key", device.public_key)), peers=(first, *others))
        self.facts = fakes.change(self.facts, node, wireguards=(device,))


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    if text == "none":
        return None
    return int(text) if text.isdigit() else text


def play(path: Path) -> None:
    """Run a file and compare the answers, or rewrite them."""
    script = Script()
    written: list[str] = []
    blocks = path.read_text().split("\n\n")
    for block in blocks:
        question, divider, _ = block.partition("\n----")
        answers = [script.run(line) for line in question.splitlines() if line and not line.startswith("#")]
        answer = "".join(text for text in answers if text is not None)
        answer = "\n".join(line for line in answer.splitlines() if line.strip())
        written.append(f"{question}\n----\n{answer or '(nothing)'}" if divider or answer else question)
    text = "\n\n".join(block.strip("\n") for block in written) + "\n"
    if os.environ.get("INSIGHT_REWRITE"):
        path.write_text(text)
    assert path.read_text() == text
