"""Policy rules of RBAC: what a rule allows, and whether rules cover other rules. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product

from pybernetes.api.rbac.rule import PolicyRule
from pybernetes.apiserver.types import Attributes

ALL = "*"


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its lists as sets, for a look-up in constant time."""

    rule: PolicyRule = field(repr=False)
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    urls: tuple[str, ...]

    def allows(self, attributes: Attributes) -> bool:
        """Whether the rule allows the request."""
        if ALL not in self.verbs and attributes.verb not in self.verbs:
            return False
        if not attributes.is_resource:
            return any(url_matches(url, attributes.path) for url in self.urls)
        if ALL not in self.groups and attributes.group not in self.groups:
            return False
        if self.names and attributes.name not in self.names:
            return False
        return resource_matches(self.resources, attributes.resource, attributes.subresource)


def compile_rule(rule: PolicyRule) -> CompiledRule:
    """Prepare a rule for matching."""
    return CompiledRule(
        rule,
        frozenset(rule.verbs),
        frozenset(rule.api_groups),
        frozenset(rule.resources),
        frozenset(rule.resource_names),
        tuple(rule.non_resource_urls),
    )


def resource_matches(resources: frozenset[str], resource: str, subresource: str) -> bool:
    """`*`, `pods/log` and `*/log` match `pods/log`; `pods` does not."""
    if ALL in resources:
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


def url_matches(pattern: str, path: str) -> bool:
    """Whether a path matches: exactly, or by a prefix that ends in a star."""
    if pattern in (ALL, path):
        return True
    return pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL))


def missing(held: Iterable[PolicyRule], wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The smallest parts of `wanted` (one verb, group, resource and name each) that no held rule covers."""
    owned = [compile_rule(r) for r in held]
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(o, part) for o in owned)]


def _parts(rule: PolicyRule) -> list[PolicyRule]:
    """A rule split into parts, so that several rules together can cover it."""
    parts = [
        PolicyRule(verbs=[verb], api_groups=[group], resources=[resource], resource_names=names)
        for group, resource, verb in product(rule.api_groups, rule.resources, rule.verbs)
        for names in ([[n] for n in rule.resource_names] or [[]])
    ]
    parts += [PolicyRule(verbs=[v], non_resource_urls=[u]) for u, v in product(rule.non_resource_urls, rule.verbs)]
    return parts


def _covers(owner: CompiledRule, part: PolicyRule) -> bool:
    if ALL not in owner.verbs and part.verbs[0] not in owner.verbs:
        return False
    if part.non_resource_urls:
        return any(url_matches(url, part.non_resource_urls[0]) for url in owner.urls)
    if ALL not in owner.groups and part.api_groups[0] not in owner.groups:
        return False
    if owner.names and not (part.resource_names and part.resource_names[0] in owner.names):
        return False
    resource, _, subresource = part.resources[0].partition("/")
    return resource_matches(owner.resources, resource, subresource)


def describe(rules: Sequence[PolicyRule]) -> str:
    """Rules in the format of kube-apiserver's refusals: parts that differ only in the verb are joined."""
    merged: dict[str, list[str]] = {}
    for rule in rules:
        lists = (
            ("APIGroups", rule.api_groups),
            ("Resources", rule.resources),
            ("ResourceNames", rule.resource_names),
            ("NonResourceURLs", rule.non_resource_urls),
        )
        text = ", ".join(f"{name}:{_quoted(values)}" for name, values in lists if values)
        merged.setdefault(text, []).extend(v for v in rule.verbs if v not in merged.get(text, ()))
    return "\n".join(f"{{{text}, Verbs:{_quoted(verbs)}}}" for text, verbs in sorted(merged.items()))


def _quoted(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"
