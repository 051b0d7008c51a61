"""The subresources of a Pod: ephemeralcontainers and resize write parts of its spec; the others have other bodies."""

from msgspec.structs import replace

from pybernetes.api.core.container import Container
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_strategy import qos_class
from pybernetes.api.core.pod_validation import validate_pod
from pybernetes.api.field import Errors
from pybernetes.api.subresource import CREATE, STREAM, BodyKind, Subresource, keep_metadata, proxy
from pybernetes.api.wellknown import ANNOTATION_MIRROR_POD


def keep_all_but_ephemeral(new: Pod, old: Pod) -> None:
    """/ephemeralcontainers writes spec.ephemeralContainers and nothing else."""
    new.spec = replace(old.spec, ephemeral_containers=new.spec.ephemeral_containers)
    new.status = old.status
    keep_metadata(new, old)


def validate_ephemeral(new: Pod, old: Pod, errors: Errors) -> None:
    """Ephemeral containers may be added, never changed or removed."""
    validate_pod(new, errors)
    path = "spec.ephemeralContainers"
    known = {c.name: c for c in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in known:
            errors.forbidden(path, f'existing ephemeral containers "{container.name}" may not be removed')
        elif known[container.name] != container:
            errors.forbidden(path, f'existing ephemeral containers "{container.name}" may not be changed')
    if ANNOTATION_MIRROR_POD in old.metadata.annotations:
        errors.forbidden("metadata.annotations", "static pods do not support ephemeral containers")


def keep_all_but_resources(new: Pod, old: Pod) -> None:
    """/resize writes the containers' resources and resize policies, and nothing else."""
    new.spec = replace(
        old.spec,
        containers=_resized(old.spec.containers, new.spec.containers),
        init_containers=_resized(old.spec.init_containers, new.spec.init_containers),
    )
    new.status = old.status
    keep_metadata(new, old)


def _resized(present: list[Container], sent: list[Container]) -> list[Container]:
    """The present containers with the resources of their namesakes."""
    by_name = {container.name: container for container in sent}
    return [
        replace(mine, resources=by_name[mine.name].resources, resize_policy=by_name[mine.name].resize_policy)
        if mine.name in by_name
        else mine
        for mine in present
    ]


def validate_resize(new: Pod, old: Pod, errors: Errors) -> None:
    """The new resources must be valid, and leave the pod in its quality-of-service class."""
    validate_pod(new, errors)
    if new.status.qos_class != qos_class(new.spec):
        errors.invalid("spec.containers", new.metadata.name, "Pod QOS Class may not change as a result of resizing")


def _no_rules(new: Pod, old: Pod, errors: Errors) -> None:
    """The server itself writes a binding, from a body that it has checked."""


POD_SUBRESOURCES: tuple[Subresource[Pod], ...] = (
    Subresource(name="log", verbs=("get",), raw=True),
    Subresource(name="exec", verbs=STREAM, body=BodyKind("", "v1", "PodExecOptions"), raw=True),
    Subresource(name="attach", verbs=STREAM, body=BodyKind("", "v1", "PodAttachOptions"), raw=True),
    Subresource(name="portforward", verbs=STREAM, body=BodyKind("", "v1", "PodPortForwardOptions"), raw=True),
    # Binding sets spec.nodeName but must not raise metadata.generation.
    Subresource(name="binding", verbs=CREATE, body=BodyKind("", "v1", "Binding"), validate=_no_rules, counts=False),
    Subresource(name="eviction", verbs=CREATE, body=BodyKind("policy", "v1", "Eviction")),
    Subresource(name="ephemeralcontainers", prepare=keep_all_but_ephemeral, validate=validate_ephemeral),
    Subresource(name="resize", prepare=keep_all_but_resources, validate=validate_resize),
    proxy("PodProxyOptions"),
)
