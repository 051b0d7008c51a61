"""binding: assigns a pod to a node, once."""

import dataclasses

from pybernetes.api.core.binding import KIND, Binding
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.pod_status import PodCondition
from pybernetes.api.field import Errors
from pybernetes.api.meta import Status
from pybernetes.apiserver import codec, errors, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.replacing import write_options
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response

_NAME = "binding"


class BindingSubresource:
    """POST to pods/<name>/binding, and to /bindings."""

    def __init__(self, context: ServerContext, writer: Writer) -> None:
        self._context = context
        self._writer = writer

    async def create(self, request: ResourceRequest) -> Response:
        """Bind the pod to the node. Raises Conflict when it has one already."""
        return await self._bind(request, _binding(request))

    async def create_named(self, request: ResourceRequest) -> Response:
        """POST to /bindings, where only the body has the pod's name."""
        binding = _binding(request)
        info = dataclasses.replace(request.info, name=binding.metadata.name, resource=POD.plural, subresource=_NAME)
        resource = self._context.catalogue.of(POD)
        return await self._bind(dataclasses.replace(request, info=info, resource=resource), binding)

    async def _bind(self, request: ResourceRequest, binding: Binding) -> Response:
        _check(binding, request.info.name)
        requested, now = write_options(request, "CreateOptions"), self._context.timestamp()
        await self._writer.admit(request, binding, options=requested)

        def make(pod: Pod, _: bytes) -> Pod:
            _may_bind(request, pod, binding)
            return bound(pod, binding, now)

        endpoint = request.resource.kind.subresource(_NAME)
        await self._writer.update(request, make, requested, endpoint, admitted=True)
        return rendering.response(201, codec.encode_status(Status(status="Success", code=201)), request.form)


def _binding(request: ResourceRequest) -> Binding:
    return codec.object_from(codec.json_body(request.http.body, request.content_type), KIND)


def bound(pod: Pod, binding: Binding, now: str) -> Pod:
    """The pod with the node, the PodScheduled condition and the binding's annotations."""
    pod.spec.node_name = binding.target.name
    pod.metadata.annotations = {**pod.metadata.annotations, **binding.metadata.annotations}
    condition = PodCondition(type="PodScheduled", status="True", last_transition_time=now)
    pod.status.conditions = [*(c for c in pod.status.conditions if c.type != "PodScheduled"), condition]
    return pod


def _check(binding: Binding, name: str) -> None:
    found = Errors()
    if binding.metadata.name and binding.metadata.name != name:
        raise errors.bad_request(f"name in URL does not match name in Binding object: {binding.metadata.name}")
    if binding.target.kind not in ("", "Node"):
        found.not_supported("target.kind", binding.target.kind, ["Node", "<empty>"])
    if not binding.target.name:
        found.required("target.name")
    if found:
        raise errors.invalid(KIND, name, found.items)


def _may_bind(request: ResourceRequest, pod: Pod, binding: Binding) -> None:
    kind, name, meta = request.resource.kind, pod.metadata.name, binding.metadata
    if meta.uid and meta.uid != pod.metadata.uid:
        why = f"Precondition failed: UID in precondition: {meta.uid}, UID in object meta: {pod.metadata.uid}"
        raise errors.conflict(kind, name, why)
    if meta.resource_version and meta.resource_version != pod.metadata.resource_version:
        raise errors.conflict(kind, name)
    why = ""
    if pod.metadata.deletion_timestamp:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
    elif pod.spec.node_name:
        why = f'pod {name} is already assigned to node "{pod.spec.node_name}"'
    elif pod.spec.scheduling_gates:
        why = f"pod {name} has non-empty .spec.schedulingGates"
    if why:
        raise errors.conflict(dataclasses.replace(kind, plural="pods/binding"), name, why)
