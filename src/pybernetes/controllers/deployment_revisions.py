"""Which ReplicaSet of a Deployment is the current one, how revisions are numbered, and which old ones are deleted.

Pure. The annotations are the interface to `kubectl rollout history` and `undo`.
"""

import hashlib
from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet, ReplicaSetSpec
from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.meta import LabelSelector, Object, ObjectMeta
from pybernetes.api.wellknown import ANNOTATION_LAST_APPLIED
from pybernetes.controllers.ownership import controller_ref
from pybernetes.controllers.percent import max_surge

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
TEMPLATE_HASH = "pod-template-hash"

#: Annotations that a ReplicaSet does not copy from its Deployment.
OWN_ANNOTATIONS = frozenset(
    {
        ANNOTATION_LAST_APPLIED,
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)
#: Characters of generated names: no vowels, so that no words arise, and no similar characters.
SAFE = "bcdfghjklmnpqrstvwxz2456789"
_HISTORY_LENGTH = 2000


def safe_hash(value: object, collisions: int | None) -> str:
    """A short hash of a value, the same on every run and machine. Another number of collisions gives another hash."""
    data = msgspec.json.encode(value, order="deterministic") + (f"#{collisions}".encode() if collisions else b"")
    number = int.from_bytes(hashlib.sha256(data).digest()[:4], "big")
    return "".join(SAFE[ord(digit) % len(SAFE)] for digit in str(number))


def number_of(obj: Object) -> int:
    """The revision in an object's annotations; 0 when it has none."""
    text = obj.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def same_template(one: PodTemplateSpec, other: PodTemplateSpec) -> bool:
    """Whether two templates make the same pods, apart from the hash label that this controller adds."""
    return _unhashed(one) == _unhashed(other)


def _unhashed(template: PodTemplateSpec) -> PodTemplateSpec:
    labels = {key: value for key, value in template.metadata.labels.items() if key != TEMPLATE_HASH}
    return replace(template, metadata=replace(template.metadata, labels=labels))


def oldest_first(sets: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """By time of creation, then name."""
    return sorted(sets, key=lambda rs: (rs.metadata.creation_timestamp, rs.metadata.name))


def find_new(deployment: Deployment, sets: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the current template. If there are several, the oldest, so that all passes agree."""
    for candidate in oldest_first(sets):
        if same_template(candidate.spec.template, deployment.spec.template):
            return candidate
    return None


def next_number(olds: Sequence[ReplicaSet]) -> int:
    """The revision of the newest template: one more than the highest of the others."""
    return max(map(number_of, olds), default=0) + 1


def new_set(deployment: Deployment, revision: int) -> ReplicaSet:
    """A ReplicaSet for the current template, with no replicas yet."""
    spec = deployment.spec
    digest = safe_hash(spec.template, deployment.status.collision_count)
    labels = {**spec.template.metadata.labels, TEMPLATE_HASH: digest}
    meta = ObjectMeta(
        name=f"{deployment.metadata.name}-{digest}",
        namespace=deployment.metadata.namespace,
        labels=labels,
        owner_references=[controller_ref(deployment)],
    )
    selector = LabelSelector(
        match_labels={**spec.selector.match_labels, TEMPLATE_HASH: digest},
        match_expressions=spec.selector.match_expressions,
    )
    rs_spec = ReplicaSetSpec(
        replicas=0,
        min_ready_seconds=spec.min_ready_seconds,
        selector=selector,
        template=replace(spec.template, metadata=replace(spec.template.metadata, labels=labels)),
    )
    made = ReplicaSet(api_version="apps/v1", kind="ReplicaSet", metadata=meta, spec=rs_spec)
    return annotated(with_sizes(made, deployment), deployment, revision)


def annotated(rs: ReplicaSet, deployment: Deployment, revision: int) -> ReplicaSet:
    """The ReplicaSet with the Deployment's annotations and at least this revision. If a roll-back made it
    current again, its previous revision is kept in its history."""
    before = rs.metadata.annotations
    result = dict(before)
    result.update({k: v for k, v in deployment.metadata.annotations.items() if k not in OWN_ANNOTATIONS})
    had = number_of(rs)
    if had < revision:
        result[REVISION] = str(revision)
        if had:
            history = [*filter(None, before.get(REVISION_HISTORY, "").split(",")), str(had)]
            while len(",".join(history)) > _HISTORY_LENGTH:
                history.pop(0)
            result[REVISION_HISTORY] = ",".join(history)
    return _with_annotations(rs, result)


def with_sizes(rs: ReplicaSet, deployment: Deployment) -> ReplicaSet:
    """The ReplicaSet with the size of its Deployment in annotations, which proportional scaling starts from."""
    want = cast("int", deployment.spec.replicas)
    sizes = {DESIRED_REPLICAS: str(want), MAX_REPLICAS: str(want + max_surge(deployment))}
    return _with_annotations(rs, {**rs.metadata.annotations, **sizes})


def _with_annotations(rs: ReplicaSet, annotations: dict[str, str]) -> ReplicaSet:
    if annotations == rs.metadata.annotations:
        return rs
    return replace(rs, metadata=replace(rs.metadata, annotations=annotations))


def outdated(deployment: Deployment, olds: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """The old, empty ReplicaSets beyond the history limit, with the lowest revisions first."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    alive = [rs for rs in olds if not rs.metadata.deletion_timestamp]
    ranked = sorted(alive, key=lambda rs: (number_of(rs), rs.metadata.creation_timestamp, rs.metadata.name))
    surplus = ranked[: max(0, len(alive) - limit)]
    return [
        rs
        for rs in surplus
        if not rs.status.replicas and not rs.spec.replicas and rs.metadata.generation <= rs.status.observed_generation
    ]
