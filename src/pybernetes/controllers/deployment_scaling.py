"""How large each ReplicaSet of a Deployment should be now: one step of a rolling update, of a recreation, of scaling.

Pure. Each function returns resizes with their reasons; an empty list means that there is nothing to do now.

Invariants of a rolling update, in whatever order events arrive: the sizes never add up to more than replicas +
maxSurge, and no step takes the available pods below replicas - maxUnavailable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.controllers.deployment_revisions import DESIRED_REPLICAS, MAX_REPLICAS, oldest_first
from pybernetes.controllers.percent import is_rolling, max_surge, max_unavailable


@dataclass(frozen=True, slots=True)
class Resize:
    """A new size for a ReplicaSet."""

    target: ReplicaSet
    size: int
    reason: str


def wanted(deployment: Deployment) -> int:
    """spec.replicas; the server defaults it to 1."""
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def size(rs: ReplicaSet) -> int:
    """The desired size of a ReplicaSet."""
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def available(rs: ReplicaSet) -> int:
    """Its available pods, up to its size. Those beyond are about to be deleted: counted, as in a status that lags,
    they would allow the deletion of others."""
    return min(rs.status.available_replicas, size(rs))


def _resize(rs: ReplicaSet, to: int, reason: str) -> list[Resize]:
    return [] if size(rs) == to else [Resize(rs, to, reason)]


def first_size(deployment: Deployment, new: ReplicaSet, sets: Sequence[ReplicaSet]) -> int:
    """How large the new ReplicaSet may be while the pods of all others still exist."""
    want = wanted(deployment)
    if not is_rolling(deployment):
        return want
    room = want + max_surge(deployment) - sum(map(size, sets))
    return size(new) + max(0, min(room, want - size(new)))


def rolling_step(deployment: Deployment, new: ReplicaSet, olds: Sequence[ReplicaSet]) -> list[Resize]:
    """The next step: make room for, or grow, the new ReplicaSet first; else shrink the old ones."""
    want = wanted(deployment)
    if size(new) > want:
        return _resize(new, want, f"{want} replicas wanted")
    grown = _resize(new, first_size(deployment, new, [new, *olds]), "the new template replaces the old one")
    return grown or _shrink_old(deployment, new, olds)


def _shrink_old(deployment: Deployment, new: ReplicaSet, olds: Sequence[ReplicaSet]) -> list[Resize]:
    least = wanted(deployment) - max_unavailable(deployment)
    budget = sum(map(size, olds)) + available(new) - least
    sizes = {rs.metadata.name: size(rs) for rs in olds}
    up = {rs.metadata.name: available(rs) for rs in olds}
    ordered = oldest_first(olds)
    for rs in ordered:
        # Delete unavailable pods first: that costs no availability. A ReplicaSet deletes them first, too.
        broken = min(max(0, sizes[rs.metadata.name] - up[rs.metadata.name]), max(0, budget))
        sizes[rs.metadata.name] -= broken
        budget -= broken
    # A status of an earlier size may count pods that are about to be deleted: wait for the current one.
    settled = all(rs.status.observed_generation >= rs.metadata.generation for rs in (new, *olds))
    spare = min(sum(up.values()) + available(new) - least, budget) if settled else 0
    for rs in ordered:
        down = min(sizes[rs.metadata.name], max(0, spare))
        sizes[rs.metadata.name] -= down
        spare -= down
    reason = f"at least {least} pods stay available"
    return [resize for rs in ordered for resize in _resize(rs, sizes[rs.metadata.name], reason)]


def recreate_step(
    deployment: Deployment, new: ReplicaSet | None, olds: Sequence[ReplicaSet], old_pods: Sequence[Pod]
) -> tuple[list[Resize], bool]:
    """The next step, and whether all old pods are gone, so that the new ReplicaSet may be created and scaled up."""
    down = [resize for rs in olds for resize in _resize(rs, 0, "old pods end before new ones start")]
    if down:
        return down, False
    running = any(pod.status.phase not in ("Succeeded", "Failed") for pod in old_pods)
    if running or any(rs.status.replicas for rs in olds):
        return [], False
    return ([] if new is None else _resize(new, wanted(deployment), "all old pods have ended")), True


def is_scaling(deployment: Deployment, sets: Sequence[ReplicaSet]) -> bool:
    """Whether the size of the Deployment has changed since its ReplicaSets were last resized."""
    for rs in sets:
        noted = rs.metadata.annotations.get(DESIRED_REPLICAS, "")
        if size(rs) and noted.isdigit() and int(noted) != wanted(deployment):
            return True
    return False


def scale_step(deployment: Deployment, new: ReplicaSet | None, olds: Sequence[ReplicaSet]) -> list[Resize]:
    """Apply a new size of the Deployment to its ReplicaSets, in proportion when several are active, so that the risk of
    a partial update stays the same."""
    want = wanted(deployment)
    sets = [rs for rs in (new, *olds) if rs is not None]
    active = [rs for rs in sets if size(rs)]
    if len(active) <= 1:
        only = active[0] if active else new or next(reversed(oldest_first(olds)), None)
        return _resize(only, want, f"{want} replicas wanted") if only else []
    if new is not None and is_saturated(deployment, new):
        return [resize for rs in active if rs is not new for resize in _resize(rs, 0, "the new ReplicaSet is complete")]
    return _proportional(deployment, active) if is_rolling(deployment) else []


def is_saturated(deployment: Deployment, rs: ReplicaSet) -> bool:
    """Whether this ReplicaSet alone has all pods of the Deployment, available."""
    want = wanted(deployment)
    noted = rs.metadata.annotations.get(DESIRED_REPLICAS)
    return size(rs) == want and noted == str(want) and rs.status.available_replicas == want


def _proportional(deployment: Deployment, active: Sequence[ReplicaSet]) -> list[Resize]:
    want = wanted(deployment)
    allowed = want + max_surge(deployment) if want > 0 else 0
    to_add = allowed - sum(map(size, active))
    newest = list(reversed(oldest_first(active))) if to_add > 0 else oldest_first(active)
    ranked = sorted(newest, key=lambda rs: -size(rs))
    sizes, added = [], 0
    for rs in ranked:
        part = _share(deployment, rs, to_add, added)
        sizes.append(size(rs) + part)
        added += part
    sizes[0] = max(0, sizes[0] + to_add - added)
    return [
        Resize(rs, to, "scaled in proportion")
        for rs, to in zip(ranked, sizes, strict=True)
        if _differs(deployment, rs, to)
    ]


def _differs(deployment: Deployment, rs: ReplicaSet, to: int) -> bool:
    return size(rs) != to or rs.metadata.annotations.get(DESIRED_REPLICAS) != str(wanted(deployment))


def _share(deployment: Deployment, rs: ReplicaSet, to_add: int, added: int) -> int:
    """The part of `to_add` for one ReplicaSet; `added` is what the others have got already."""
    if to_add in (0, added) or not size(rs):
        return 0
    part = _fraction(deployment, rs)
    return min(part, to_add - added) if to_add > 0 else max(part, to_add - added)


def _fraction(deployment: Deployment, rs: ReplicaSet) -> int:
    want = wanted(deployment)
    if want == 0:
        return -size(rs)
    noted = rs.metadata.annotations.get(MAX_REPLICAS, "")
    before = int(noted) if noted.isdigit() else deployment.status.replicas
    if before == 0:
        return 0
    # Integer division, rounding half away from zero.
    total = size(rs) * (want + max_surge(deployment))
    return (2 * total + before) // (2 * before) - size(rs)
