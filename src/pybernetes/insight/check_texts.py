"""Texts that several checks share."""

from pybernetes.insight.facts import ClusterFacts, NodeFacts


def repair_hint(cluster: ClusterFacts, node: NodeFacts) -> str:
    """The fix for what the node agent repairs by itself."""
    if node.agent:
        return (
            f"the agent of {node.name} should repair this within a second; "
            f"'pybernetes logs --name {cluster.name} node-{node.name}' shows why it does not"
        )
    return f"start the agent of {node.name}, which repairs it: 'pybernetes up --name {cluster.name}'"


def peer_of(reason: str) -> str:
    """The node that a kernel object's reason names."""
    return reason.removeprefix("lease of ") if reason.startswith("lease of ") else ""
