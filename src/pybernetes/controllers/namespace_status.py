"""What is left in a namespace that is being deleted, and the conditions that report it. Pure.

Types, reasons and texts are those of kube-controller-manager.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from pybernetes.api.core.namespace import NamespaceCondition
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.catalogue import Catalogue
from pybernetes.controllers.times import stamp

FINALIZER_SECONDS = 15.0
"""How long objects with finalizers are expected to take."""

#: (type, reason and text when all is well), in the order in which they are listed
_FINE = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)


@dataclass(slots=True)
class Remains:
    """What one pass left in a namespace, and what went wrong. Times are seconds."""

    objects: dict[str, int] = field(default_factory=dict)
    """`plural.group` -> number of objects"""
    finalizers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    estimate: float = 0.0
    """until what is left should be gone"""
    undiscovered: str = ""
    """why discovery is incomplete"""
    failing_groups: int = 0
    malformed: str = ""
    """what is wrong with the discovery documents"""

    def discovered(self, catalogue: Catalogue) -> None:
        """Note which group versions could not be discovered."""
        self.undiscovered, self.failing_groups = catalogue.failure(), len(catalogue.failed)
        self.malformed = catalogue.malformed

    def count(self, namespace: str, resource: ApiResource, left: Sequence[ObjectMeta], grace: float = 0.0) -> None:
        """Note what is left of one resource although all of it was deleted. `grace` is the time that pods have."""
        if not left:
            return
        self.objects[f"{resource.plural}.{resource.group}"] = len(left)
        finalizers = [name for meta in left for name in meta.finalizers]
        for name in finalizers:
            self.finalizers[name] = self.finalizers.get(name, 0) + 1
        if not grace and not finalizers:
            self.errors.append(f"unexpected items still remain in namespace: {namespace} for gvr: {resource}")
        self.estimate = max(self.estimate, grace or (FINALIZER_SECONDS if finalizers else 0.0))

    def failures(self) -> list[str]:
        """All problems; the namespace must stay while there are any."""
        return [text for text in (self.undiscovered, self.malformed, *self.errors) if text]


def conditions(before: Sequence[NamespaceCondition], remains: Remains, now: datetime) -> list[NamespaceCondition]:
    """The conditions after a pass. Each keeps its time while its status stays the same."""
    bad = _problems(remains)
    result = list(before)
    for type, reason, message in _FINE:
        status = "False"
        if type in bad:
            status, (reason, message) = "True", bad[type]
        made = NamespaceCondition(type=type, status=status, reason=reason, message=message)
        place = next((at for at, item in enumerate(before) if item.type == type), None)
        if place is None:
            result.append(replace(made, last_transition_time=stamp(now)))
        else:
            old = before[place]
            since = old.last_transition_time if old.status == status else stamp(now)
            result[place] = replace(made, last_transition_time=since)
    return result


def _problems(remains: Remains) -> dict[str, tuple[str, str]]:
    """type -> (reason, text) of the conditions that are true."""
    bad: dict[str, tuple[str, str]] = {}
    if remains.undiscovered:
        text = remains.undiscovered
        if remains.failing_groups:
            text = f"Discovery failed for some groups, {remains.failing_groups} failing: {text}"
        bad["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", text)
    if remains.malformed:
        bad["NamespaceDeletionGroupVersionParsingFailure"] = ("GroupVersionParsingFailed", remains.malformed)
    if remains.errors:
        listed = ", ".join(sorted(remains.errors))
        text = f"Failed to delete all resource types, {len(remains.errors)} remaining: {listed}"
        bad["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
    if remains.objects:
        listed = _listed(remains.objects, "{name} has {n} resource instances")
        bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {listed}")
    if remains.finalizers:
        listed = _listed(remains.finalizers, "{name} in {n} resource instances")
        text = f"Some content in the namespace has finalizers remaining: {listed}"
        bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    return bad


def _listed(counts: Mapping[str, int], form: str) -> str:
    return ", ".join(sorted(form.format(name=name, n=count) for name, count in counts.items()))
