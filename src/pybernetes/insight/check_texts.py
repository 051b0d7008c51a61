"""Sentences that several checks share."""

from pybernetes.insight.facts import ClusterFacts, NodeFacts


def mender(cluster: ClusterFacts, node: NodeFacts) -> str:
    """Who puts things right, as a sentence."""
    if node.agent:
        return (
            f"the agent of {node.name} should mend this within a second; "
            f"'pybernetes logs --name {cluster.name} node-{node.name}' tells why it does not"
        )
    return f"start the agent of {node.name}, which mends it: 'pybernetes up --name {cluster.name}'"


def peer_of(reason: str) -> str:
    """The node that a kernel object's reason names."""
    return reason.removeprefix("lease of ") if reason.startswith("lease of ") else ""
