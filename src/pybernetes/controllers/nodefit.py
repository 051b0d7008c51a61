"""Whether a pod may run on a node: node selector, node affinity, taints and tolerations. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from pybernetes.api.core.affinity import NodeSelectorRequirement, NodeSelectorTerm, Toleration
from pybernetes.api.core.node import Node, Taint
from pybernetes.api.core.pod import PodSpec
from pybernetes.controllers.selectors import contains


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration covers one taint. An absent effect covers all, an absent key (with Exists) too."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.operator in ("", "Equal") and toleration.value == taint.value


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str]) -> list[Taint]:
    """The taints with these effects that no toleration covers."""
    return [
        taint for taint in taints if taint.effect in effects and not any(tolerates(item, taint) for item in tolerations)
    ]


def _holds(rule: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    value = values.get(rule.key)
    match rule.operator:
        case "In":
            return value is not None and value in rule.values
        case "NotIn":
            return value is None or value not in rule.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(rule, value)
    return False


def _compares(rule: NodeSelectorRequirement, value: str | None) -> bool:
    try:
        left, right = int(value or ""), int(rule.values[0])
    except (ValueError, IndexError):
        return False
    return left > right if rule.operator == "Gt" else left < right


def _selects(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether all expressions of a term hold; an empty term selects nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(_holds(rule, node.metadata.labels) for rule in term.match_expressions) and all(
        _holds(rule, fields) for rule in term.match_fields
    )


def fits_affinity(spec: PodSpec, node: Node) -> bool:
    """Whether the node selector and the required node affinity of a pod allow the node."""
    if not contains(node.metadata.labels, spec.node_selector):
        return False
    affinity = spec.affinity.node_affinity if spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return required is None or any(_selects(term, node) for term in required.node_selector_terms)
