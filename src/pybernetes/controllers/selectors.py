"""Matches labels against selectors. Pure."""

from collections.abc import Mapping

from pybernetes.api.meta import LabelSelector, LabelSelectorRequirement


def _holds(rule: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(rule.key)
    match rule.operator:
        case "In":
            return value is not None and value in rule.values
        case "NotIn":
            return value is None or value not in rule.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def contains(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `labels` has all of `wanted`."""
    return wanted.items() <= labels.items()


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the selector selects an object of these labels; an empty selector selects everything."""
    return contains(labels, selector.match_labels) and all(_holds(rule, labels) for rule in selector.match_expressions)


def is_empty(selector: LabelSelector) -> bool:
    """Whether the selector has no requirement."""
    return not selector.match_labels and not selector.match_expressions
