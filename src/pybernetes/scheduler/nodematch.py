"""Node selectors and node affinity as masks over nodes (or over one changed node)."""

from collections.abc import Iterable

import numpy as np

from pybernetes.api.core.affinity import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Toleration
from pybernetes.scheduler.nodes import NAME_FIELD, NodeTable, TaintKey
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Mask, Rows


def required_mask(nodes: NodeTable, template: Template, rows: Rows) -> Mask | None:
    """The nodes that meet nodeSelector and required node affinity; None if the pod has neither."""
    if not template.node_selector and template.node_affinity is None:
        return None
    mask: Mask = np.ones(len(nodes.valid[rows]), np.bool_)
    for key, value in template.node_selector.items():
        column = nodes.column(key)
        code = column.code(value)
        mask &= (column.codes[rows] == code) & (code != 0)
    if template.node_affinity is not None:
        mask &= selector_mask(nodes, template.node_affinity, rows)
    return mask


def selector_mask(nodes: NodeTable, selector: NodeSelector, rows: Rows) -> Mask:
    """The nodes that meet one of the terms."""
    mask: Mask = np.zeros(len(nodes.valid[rows]), np.bool_)
    for term in selector.node_selector_terms:
        mask |= term_mask(nodes, term, rows)
    return mask


def term_mask(nodes: NodeTable, term: NodeSelectorTerm, rows: Rows) -> Mask:
    """The nodes that meet all requirements of a term; an empty term is met by none."""
    count = len(nodes.valid[rows])
    if not term.match_expressions and not term.match_fields:
        return np.zeros(count, np.bool_)
    mask: Mask = np.ones(count, np.bool_)
    for expression in term.match_expressions:
        mask &= _requirement(nodes, expression.key, expression, rows)
    for field in term.match_fields:
        if field.key != "metadata.name":
            return np.zeros(count, np.bool_)
        mask &= _requirement(nodes, NAME_FIELD, field, rows)
    return mask


def _requirement(nodes: NodeTable, key: str, wanted: NodeSelectorRequirement, rows: Rows) -> Mask:
    """Evaluates the requirement once per value of the label, then looks up each node's value."""
    column = nodes.column(key)
    size = len(column.values)
    match wanted.operator:
        case "In" | "NotIn":
            table = np.zeros(size, np.bool_)
            table[[code for value in wanted.values if (code := column.code(value))]] = True
            if wanted.operator == "NotIn":
                table = ~table
        case "Exists":
            table = np.ones(size, np.bool_)
            table[0] = False
        case "DoesNotExist":
            table = np.zeros(size, np.bool_)
            table[0] = True
        case "Gt" | "Lt":
            table = np.array([_compares(value, wanted) for value in column.values], np.bool_)
        case _:
            table = np.zeros(size, np.bool_)
    return column.lookup(table, rows)


def _compares(value: str | None, wanted: NodeSelectorRequirement) -> bool:
    try:
        number, bound = int(value or ""), int(wanted.values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if wanted.operator == "Gt" else number < bound


def pinned_names(template: Template) -> set[str] | None:
    """The nodes that affinity by metadata.name allows, as pods of a DaemonSet have it; None if it allows all."""
    if template.node_affinity is None or not template.node_affinity.node_selector_terms:
        return None
    names: set[str] = set()
    for term in template.node_affinity.node_selector_terms:
        of_term: set[str] | None = None
        for field in term.match_fields:
            if field.key == "metadata.name" and field.operator == "In":
                of_term = set(field.values) if of_term is None else of_term & set(field.values)
        if of_term is None:
            return None
        names |= of_term
    return names


def tolerates(tolerations: Iterable[Toleration], taint: TaintKey) -> bool:
    """Whether one of the tolerations covers a taint."""
    key, value, effect = taint
    for toleration in tolerations:
        if toleration.effect and toleration.effect != effect:
            continue
        if toleration.key and toleration.key != key:
            continue
        if toleration.operator == "Exists":
            return True
        if toleration.operator in ("", "Equal") and toleration.value == value:
            return True
    return False


def untolerated(
    template: Template, taints: tuple[TaintKey, ...], effects: tuple[str, ...] = ("NoSchedule", "NoExecute")
) -> TaintKey | None:
    """The first taint with one of the effects that the pod does not tolerate."""
    for taint in taints:
        if taint[2] in effects and not tolerates(template.tolerations, taint):
            return taint
    return None


def untainted_mask(nodes: NodeTable, template: Template, rows: Rows) -> Mask:
    """The nodes without a taint that keeps the pod away."""
    table = np.array([untolerated(template, taints) is None for taints in nodes.taint_sets], np.bool_)
    mask: Mask = table[nodes.taint_codes[rows]]
    return mask
