"""`network show` and `network check`: tables for people, and the same as JSON. Pure."""

from collections.abc import Sequence
from typing import Any

from pybernetes.cluster import backend_choice
from pybernetes.insight import expected
from pybernetes.insight.check import Checked
from pybernetes.insight.facts import NodeFacts
from pybernetes.insight.findings import Finding
from pybernetes.insight.probe_result import PairProbe


def document(checked: Checked) -> dict[str, Any]:
    """The content of -o json."""
    facts = checked.facts
    return {
        "cluster": facts.name,
        "backend": facts.config.backend,
        "options": backend_choice.shown(facts.config.options),
        "networks": [str(family.network) for family in facts.config.families],
        "nodes": [_node(checked, node) for node in facts.nodes],
        "paths": [_path(probe) for probe in checked.probes],
        "findings": [_finding(finding) for finding in checked.findings],
        "healthy": checked.healthy,
    }


def _node(checked: Checked, node: NodeFacts) -> dict[str, Any]:
    lease = node.lease
    return {
        "name": node.name,
        "ready": node.ready,
        "agent": node.agent,
        "subnets": [str(part.subnet) for part in lease.families] if lease else [],
        "publicIPs": [str(part.public_ip) for part in lease.families] if lease else [],
        "backend": lease.backend if lease else "",
        "interface": _interface(node),
        "mtu": expected.mtu(checked.facts, node),
        "note": _note(node),
        "peers": _peers([probe for probe in checked.probes if probe.src == node.name]),
        "devices": [li.name for li in node.kernel.links if li.name.startswith("flannel")] if node.kernel else [],
        "sessions": {"up": sum(s.up for s in node.bird.sessions), "all": len(node.bird.sessions)}
        if node.bird
        else None,
    }


def _note(node: NodeFacts) -> str:
    """Why a node takes no part in the pod network, or might not."""
    if node.kernel is None:
        return "its network namespace is missing"
    if node.lease is None:
        return f"no lease: {node.lease_fault or 'its flannel has not announced one yet'}"
    return "" if node.ready else f"not Ready: {node.ready_text}"


def _peers(probes: list[PairProbe]) -> dict[str, int]:
    """The number of paths to other nodes, of those that could be probed, and of healthy ones."""
    states = [health(probe) for probe in probes]
    return {"ok": states.count("ok"), "tried": len(states) - states.count("unknown"), "all": len(states)}


def _interface(node: NodeFacts) -> str:
    below = expected.underlay(node.kernel, node.lease) if node.kernel and node.lease else None
    return below.link if below else ""


def _path(probe: PairProbe) -> dict[str, Any]:
    return {
        "from": probe.src,
        "to": probe.dst,
        "family": probe.version,
        "path": probe.path,
        "device": probe.device,
        "health": health(probe),
        "underlaySeconds": probe.underlay,
        "podNetworkSeconds": probe.pods,
        "fullSize": probe.size if probe.size and probe.full else probe.path_mtu,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "node": finding.node,
        "peer": finding.peer,
        "cause": finding.cause,
        "fix": finding.fix,
    }


def health(probe: PairProbe) -> str:
    """The health of a path in one word."""
    if not probe.tried:
        return "unknown" if probe.underlay is not None else "unreachable"
    if probe.pods is None:
        return "unreachable"
    return "ok" if probe.full and not probe.payload else "impaired"


def tables(checked: Checked, *, wide: bool = False, most: int = 90) -> list[str]:
    """Two tables: nodes, and the paths between them (with more than `most` paths, only unhealthy ones)."""
    facts = checked.facts
    further = ("DEVICES", "BGP") if wide else ()
    rows = [("NODE", "SUBNET", "PUBLIC-IP", "BACKEND", "INTERFACE", "MTU", "PEERS", "AGENT", "READY", *further)]
    notes = []
    for node in facts.nodes:
        about = _node(checked, node)
        if about["note"]:
            notes.append(f"{node.name}: {about['note']}")
        peers, sessions = about["peers"], about["sessions"]
        more = (",".join(about["devices"]) or "-", f"{sessions['up']}/{sessions['all']}" if sessions else "-")
        rows.append(
            (
                node.name,
                ",".join(about["subnets"]) or "-",
                ",".join(about["publicIPs"]) or "-",
                about["backend"] or "-",
                about["interface"] or "-",
                str(about["mtu"] or "-"),
                f"{peers['ok']}/{peers['all']}" if peers["tried"] else "-",
                "running" if node.agent else "stopped",
                "yes" if node.ready else "no",
                *(more if wide else ()),
            )
        )
    probes = checked.probes
    shown = probes if len(probes) <= most else [probe for probe in probes if health(probe) != "ok"]
    paths: list[tuple[str, ...]] = [("FROM", "TO", "PATH", "HEALTH", "PING", *(("UNDERLAY", "SIZE") if wide else ()))]
    for probe in shown:
        path = f"{probe.path} ({probe.device})" if probe.path else "none"
        time = f"{probe.pods * 1000:.2f} ms" if probe.pods is not None else "-"
        word = health(probe)
        note = "no pod there yet; the node replies" if word == "unknown" else word
        below = f"{probe.underlay * 1000:.2f} ms" if probe.underlay is not None else "-"
        paths.append((probe.src, probe.dst, path, note, time, *((below, str(probe.size or "-")) if wide else ())))
    lines = [*columns(rows), *notes, "", *columns(paths)]
    if len(shown) < len(probes):
        lines.append(f"({len(probes) - len(shown)} more paths, all ok)")
    return lines


def states(checked: Checked) -> list[object]:
    """Everything but measured times: --watch prints again when this changes."""
    nodes = [_node(checked, node) for node in checked.facts.nodes]
    return [nodes, [(p.src, p.dst, p.path, p.device, health(p)) for p in checked.probes]]


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Align the columns of the rows."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def report(checked: Checked) -> list[str]:
    """The content of `network check` for people."""
    lines = []
    for finding in checked.findings:
        lines += [
            f"{finding.severity.value}  {finding.place}: {finding.code}",
            f"  cause: {finding.cause}",
            f"  fix:   {finding.fix}",
        ]
    nodes, paths = len(checked.facts.nodes), len(checked.probes)
    if checked.healthy:
        lines.append(f"{nodes} nodes, {paths} paths between them: no fault")
    return lines
