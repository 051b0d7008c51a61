"""Rules that Deployments, ReplicaSets, DaemonSets and ReplicationControllers share: selector, template, replicas."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from pybernetes.api import labels, rules
from pybernetes.api.core.pod_spec import PodTemplateSpec
from pybernetes.api.core.pod_validation import validate_template
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import ScalePaths
from pybernetes.api.meta import LabelSelector, Object
from pybernetes.api.naming import camel

SPEC = Path("spec")
SELECTOR_MISMATCH = "`selector` does not match template `labels`"


class Scaled(Protocol):
    """An object with spec.replicas and status.replicas."""

    spec: Any
    status: Any


def _get(obj: Scaled) -> tuple[int, int, str]:
    selector = obj.spec.selector
    if isinstance(selector, LabelSelector):
        text = str(labels.from_label_selector(selector))
    else:
        text = str(labels.from_map(selector))
    return (1 if obj.spec.replicas is None else obj.spec.replicas), obj.status.replicas, text


def _set(obj: Any, replicas: int) -> Any:
    return msgspec.structs.replace(obj, spec=msgspec.structs.replace(obj.spec, replicas=replicas))


SCALE_PATHS = ScalePaths(get=_get, set=_set)


def validate_selector(selector: LabelSelector, errors: Errors, *, as_a_whole: bool = True) -> labels.Selector | None:
    """The selector of a workload, None if it is invalid. It may not be empty: it would select every pod of the
    namespace. `as_a_whole`: whether kube-apiserver reports an invalid selector once more, as a whole.
    """
    path = SPEC / "selector"
    if not selector.match_labels and not selector.match_expressions:
        errors.required(path)
        return labels.NOTHING
    rules.label_selector(selector, path, errors)
    try:
        return labels.from_label_selector(selector)
    except labels.SelectorError:
        if as_a_whole:
            errors.invalid(path, selector, "invalid label selector")
        return None


def validate_workload_template(
    template: PodTemplateSpec, selects: labels.Selector | Mapping[str, str] | None, kind: str, errors: Errors
) -> None:
    """The template's labels match the selector, and its pods are always restarted."""
    path = SPEC / "template"
    selector = labels.from_map(selects) if isinstance(selects, Mapping) else selects
    if selector is not None and not selector.matches(template.metadata.labels):
        errors.invalid(path / "metadata" / "labels", template.metadata.labels or None, SELECTOR_MISMATCH)
    validate_template(template, path, errors)
    if template.spec.restart_policy and template.spec.restart_policy != "Always":
        errors.not_supported(path / "spec" / "restartPolicy", template.spec.restart_policy, ["Always"])
    if template.spec.active_deadline_seconds is not None:
        errors.forbidden(path / "spec" / "activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")


def validate_replica_counts(status: Any, errors: Errors) -> None:
    """No count is negative, and none exceeds the number of replicas."""
    path = Path("status")
    parts = ("fully_labeled_replicas", "ready_replicas", "available_replicas")
    for name in ("replicas", *parts, "observed_generation"):
        rules.not_negative(getattr(status, name), path / camel(name), errors)
    for name in parts:
        if getattr(status, name) > status.replicas:
            errors.invalid(path / camel(name), getattr(status, name), "cannot be greater than status.replicas")
    if status.available_replicas > status.ready_replicas:
        errors.invalid(path / "availableReplicas", status.available_replicas, "cannot be greater than readyReplicas")


def keep_labels(new: Object, old: Object) -> None:
    """/status does not change labels."""
    new.metadata.labels = old.metadata.labels
