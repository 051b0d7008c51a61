"""Validation of tolerations, affinity, topology spread and taints."""

from collections import Counter

from pybernetes.api import names, rules
from pybernetes.api.core.affinity import (
    Affinity,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta import LabelSelector

ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_tolerations(tolerations: list[Toleration], path: Path, errors: Errors) -> None:
    """Tolerations."""
    for index, toleration in enumerate(tolerations):
        place = path @ index
        if toleration.key:
            rules.follows(toleration.key, names.qualified_name, place / "key", errors)
        elif toleration.operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.invalid(place / "operator", toleration.operator, text)
        if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.invalid(place / "effect", toleration.effect, text)
        _toleration_value(toleration, place, errors)
        if toleration.effect and toleration.effect not in EFFECTS:
            errors.not_supported(place / "effect", toleration.effect, list(EFFECTS))


def _toleration_value(toleration: Toleration, path: Path, errors: Errors) -> None:
    operator, value = toleration.operator, toleration.value
    if operator in ("", "Equal"):
        messages = names.label_value(value)
        if messages:
            errors.invalid(path / "operator", value, ";".join(messages))
    elif operator == "Exists":
        if value:
            errors.invalid(path / "operator", value, "value must be empty when `operator` is 'Exists'")
    elif operator in ("Lt", "Gt"):
        errors.not_supported(path / "operator", operator, ["Equal", "Exists", "Lt", "Gt"])
    else:
        errors.not_supported(path / "operator", operator, ["Equal", "Exists"])


def validate_affinity(affinity: Affinity | None, path: Path, errors: Errors) -> None:
    """Node affinity, pod affinity and anti-affinity."""
    if affinity is None:
        return
    if affinity.node_affinity is not None:
        place = path / "nodeAffinity"
        required = affinity.node_affinity.required_during_scheduling_ignored_during_execution
        if required is not None:
            terms = place / "requiredDuringSchedulingIgnoredDuringExecution" / "nodeSelectorTerms"
            if not required.node_selector_terms:
                errors.required(terms, "must have at least one node selector term")
            for index, term in enumerate(required.node_selector_terms):
                _node_term(term, terms @ index, errors, check_values=True)
        preferred = place / "preferredDuringSchedulingIgnoredDuringExecution"
        for index, weighted in enumerate(affinity.node_affinity.preferred_during_scheduling_ignored_during_execution):
            _weight(weighted.weight, preferred @ index / "weight", errors)
            _node_term(weighted.preference, preferred @ index / "preference", errors)
    _pod_affinity(affinity.pod_affinity, path / "podAffinity", errors)
    _pod_affinity(affinity.pod_anti_affinity, path / "podAntiAffinity", errors)


def _weight(weight: int, path: Path, errors: Errors) -> None:
    if not 1 <= weight <= 100:
        errors.invalid(path, weight, "must be in the range 1-100")


def _node_term(term: NodeSelectorTerm, path: Path, errors: Errors, *, check_values: bool = False) -> None:
    for index, expression in enumerate(term.match_expressions):
        place = path / "matchExpressions" @ index
        _operator(expression, place, errors)
        rules.follows(expression.key, names.qualified_name, place / "key", errors)
        for number, value in enumerate(expression.values if check_values else ()):
            rules.follows(value, names.label_value, place / "values" @ number, errors)
    for index, expression in enumerate(term.match_fields):
        _node_field(expression, path / "matchFields" @ index, errors)


def _node_field(expression: NodeSelectorRequirement, path: Path, errors: Errors) -> None:
    if expression.operator not in ("In", "NotIn"):
        errors.invalid(path / "operator", expression.operator, "not a valid selector operator")
    elif len(expression.values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.required(path / "values", text)
    if expression.key != "metadata.name":
        errors.invalid(path / "key", expression.key, "not a valid field selector key")
        return
    for index, value in enumerate(expression.values):
        rules.follows(value, names.dns_subdomain, path / "values" @ index, errors)


def _operator(expression: NodeSelectorRequirement, path: Path, errors: Errors) -> None:
    operator, values = expression.operator, expression.values
    if operator in ("In", "NotIn"):
        if not values:
            errors.required(path / "values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errors.forbidden(path / "values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            errors.required(path / "values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        errors.invalid(path / "operator", operator, "not a valid selector operator")


def _pod_affinity(affinity: PodAffinity | PodAntiAffinity | None, path: Path, errors: Errors) -> None:
    if affinity is None:
        return
    required = path / "requiredDuringSchedulingIgnoredDuringExecution"
    for index, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        _pod_term(term, required @ index, errors)
    preferred = path / "preferredDuringSchedulingIgnoredDuringExecution"
    for index, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        _weight(weighted.weight, preferred @ index / "weight", errors)
        _pod_term(weighted.pod_affinity_term, preferred @ index / "podAffinityTerm", errors)


def _pod_term(term: PodAffinityTerm, path: Path, errors: Errors) -> None:
    if term.label_selector is not None:
        rules.label_selector(term.label_selector, path / "labelSelector", errors)
    if term.namespace_selector is not None:
        rules.label_selector(term.namespace_selector, path / "namespaceSelector", errors)
    for name in term.namespaces:
        rules.follows(name, names.dns_label, path / "namespace", errors)
    _label_keys(term.match_label_keys, term.mismatch_label_keys, term.label_selector, path, errors)
    if not term.topology_key:
        errors.required(path / "topologyKey", "can not be empty")
    rules.follows(term.topology_key, names.qualified_name, path / "topologyKey", errors)


def _label_keys(
    match: list[str], mismatch: list[str], selector: LabelSelector | None, path: Path, errors: Errors
) -> None:
    for keys, name in ((match, "matchLabelKeys"), (mismatch, "mismatchLabelKeys")):
        if keys and selector is None:
            errors.forbidden(path / name, "must not be specified when labelSelector is not set")
        elif keys:
            for index, key in enumerate(keys):
                rules.follows(key, names.qualified_name, path / name @ index, errors)
    if selector is not None and match:
        # The server has added the values of matchLabelKeys to the selector, so a key of both is there twice.
        places = {key: index for index, key in enumerate(match)}
        seen = set(selector.match_labels)
        for expression in selector.match_expressions:
            if expression.key in places and expression.key in seen:
                text = "exists in both matchLabelKeys and labelSelector"
                errors.invalid(path @ places[expression.key], expression.key, text)
            seen.add(expression.key)
    excluded = set(mismatch)
    for index, key in enumerate(match):
        if key in excluded:
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.invalid(path / "matchLabelKeys" @ index, key, text)


def validate_spread(constraints: list[TopologySpreadConstraint], path: Path, errors: Errors) -> None:
    """Topology spread constraints."""
    pairs = Counter((constraint.topology_key, constraint.when_unsatisfiable) for constraint in constraints)
    for index, constraint in enumerate(constraints):
        place = path @ index
        if constraint.max_skew <= 0:
            errors.invalid(place / "maxSkew", constraint.max_skew, "must be greater than zero")
        if not constraint.topology_key:
            errors.required(place / "topologyKey", "can not be empty")
        action = constraint.when_unsatisfiable
        if action not in ACTIONS:
            errors.not_supported(place / "whenUnsatisfiable", action, list(ACTIONS))
        # kube-apiserver reports a pair at each of its places but the last.
        pair = (constraint.topology_key, action)
        pairs[pair] -= 1
        if pairs[pair]:
            errors.duplicate(place / "{topologyKey, whenUnsatisfiable}", f"{{{pair[0]}, {pair[1]}}}")
        _domains(constraint, place, errors)
        for name, value in (
            ("nodeAffinityPolicy", constraint.node_affinity_policy),
            ("nodeTaintsPolicy", constraint.node_taints_policy),
        ):
            if value and value not in ("Honor", "Ignore"):
                errors.not_supported(place / name, value, ["Honor", "Ignore"])
        _label_keys(constraint.match_label_keys, [], constraint.label_selector, place, errors)
        if constraint.label_selector is not None:
            rules.label_selector(constraint.label_selector, place / "labelSelector", errors)


def _domains(constraint: TopologySpreadConstraint, path: Path, errors: Errors) -> None:
    domains = constraint.min_domains
    if domains is None:
        return
    if domains <= 0:
        errors.invalid(path / "minDomains", domains, "must be greater than zero")
    if constraint.when_unsatisfiable != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {constraint.when_unsatisfiable}"
        errors.invalid(path / "minDomains", domains, text)
