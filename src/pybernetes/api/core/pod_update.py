"""Which fields of a pod may be updated: images, deadlines, added tolerations, removed scheduling gates."""

import msgspec

from pybernetes.api import names, rules
from pybernetes.api.core.affinity import Affinity, NodeAffinity
from pybernetes.api.core.container import Container
from pybernetes.api.core.pod_diff import difference
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.pod_validation import SPEC
from pybernetes.api.field import Errors

CHANGEABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def validate_pod_update(new: Pod, old: Pod, errors: Errors) -> None:
    """Only `CHANGEABLE` fields of the spec may change. A gated pod may narrow its node selection, too."""
    before, after = old.spec, new.spec
    if len(after.containers) != len(before.containers):
        errors.forbidden(SPEC / "containers", "pod updates may not add or remove containers")
        return
    if len(after.init_containers) != len(before.init_containers):
        errors.forbidden(SPEC / "initContainers", "pod updates may not add or remove containers")
        return
    _deadline(after, before, errors)
    _gates(after, before, errors)
    _tolerations(after, before, errors)
    remaining = _with_old_mutable_fields(after, before)
    if remaining != before:
        changed = difference(before, remaining)
        errors.forbidden(SPEC, f"pod updates may not change fields other than {','.join(CHANGEABLE)}\n{changed}")


def _deadline(after: PodSpec, before: PodSpec, errors: Errors) -> None:
    path = SPEC / "activeDeadlineSeconds"
    new, old = after.active_deadline_seconds, before.active_deadline_seconds
    if new is None:
        if old is not None:
            errors.invalid(path, None, "must not update from a positive integer to nil value")
    elif not 0 <= new <= rules.MAX_INT32:
        errors.invalid(path, new, names.in_range(0, rules.MAX_INT32))
    elif old is not None and new > old:
        errors.invalid(path, new, "must be less than or equal to previous value")


def _gates(after: PodSpec, before: PodSpec, errors: Errors) -> None:
    old = {gate.name for gate in before.scheduling_gates}
    for gate in after.scheduling_gates:
        if gate.name not in old:
            errors.forbidden(
                SPEC / "schedulingGates", f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            )


def _tolerations(after: PodSpec, before: PodSpec, errors: Errors) -> None:
    """Existing tolerations must remain; only their duration may change."""
    kept = [msgspec.structs.replace(t, toleration_seconds=None) for t in after.tolerations]
    for toleration in before.tolerations:
        if msgspec.structs.replace(toleration, toleration_seconds=None) not in kept:
            text = "existing toleration can not be modified except its tolerationSeconds"
            errors.forbidden(SPEC / "tolerations", text)
            return


def _with_old_mutable_fields(after: PodSpec, before: PodSpec) -> PodSpec:
    """The new spec with the old values of all fields that may change."""
    grace = after.termination_grace_period_seconds
    if grace == 1 and (before.termination_grace_period_seconds or 0) < 0:
        grace = before.termination_grace_period_seconds
    restored = msgspec.structs.replace(
        after,
        containers=_with_images(after.containers, before.containers),
        init_containers=_with_images(after.init_containers, before.init_containers),
        active_deadline_seconds=before.active_deadline_seconds,
        tolerations=before.tolerations,
        scheduling_gates=before.scheduling_gates,
        termination_grace_period_seconds=grace,
    )
    if before.scheduling_gates:
        if all(after.node_selector.get(key) == value for key, value in before.node_selector.items()):
            restored.node_selector = before.node_selector
        restored.affinity = _restored_affinity(after, before)
    return restored


def _restored_affinity(after: PodSpec, before: PodSpec) -> Affinity | None:
    """The old affinity if the change only adds node requirements, which a pod with scheduling gates may do."""
    new, old = after.affinity or Affinity(), before.affinity or Affinity()
    others = (new.pod_affinity, new.pod_anti_affinity) == (old.pod_affinity, old.pod_anti_affinity)
    return before.affinity if others and _narrower(new.node_affinity, old.node_affinity) else after.affinity


def _narrower(new: NodeAffinity | None, old: NodeAffinity | None) -> bool:
    """Whether every old required term is still at its index, with at most additional expressions."""
    was = old.required_during_scheduling_ignored_during_execution if old is not None else None
    if was is None:
        return True
    now = new.required_during_scheduling_ignored_during_execution if new is not None else None
    if now is None or len(now.node_selector_terms) != len(was.node_selector_terms):
        return False
    return all(
        all(e in added.match_expressions for e in term.match_expressions)
        and all(e in added.match_fields for e in term.match_fields)
        for added, term in zip(now.node_selector_terms, was.node_selector_terms, strict=True)
    )


def _with_images(after: list[Container], before: list[Container]) -> list[Container]:
    return [msgspec.structs.replace(new, image=old.image) for new, old in zip(after, before, strict=True)]
