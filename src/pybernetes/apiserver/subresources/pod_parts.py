"""ephemeralcontainers and resize: the two parts of a running pod's spec that may be changed, each on its own path."""

from collections.abc import Callable
from typing import Any

from pybernetes.api.core.pod import KIND, Pod
from pybernetes.api.core.pod_strategy import qos_class
from pybernetes.api.field import Errors
from pybernetes.apiserver import codec, reading, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.patching import patch_maker
from pybernetes.apiserver.replacing import Replacer, body_object, write_options
from pybernetes.apiserver.writing import Make, Writer
from pybernetes.client.transport import Response

Take = Callable[[Pod, Pod], Pod]
"""(present pod, what the client sent) -> the present pod with one part taken over"""


class PodPart:
    """GET, PUT and PATCH of one part."""

    def __init__(
        self,
        context: ServerContext,
        writer: Writer,
        replacer: Replacer,
        name: str,
        take: Take,
        check: Callable[[Pod, Pod, Errors], None],
    ) -> None:
        self._context = context
        self._writer = writer
        self._replacer = replacer
        self._name = name
        self._take = take
        self._check = check

    async def get(self, request: ResourceRequest) -> Response:
        """The whole pod."""
        kv = reading.find(self._context, request)
        return rendering.obj(
            request.resource.to_served(kv.value), request.resource, request.form, now=self._context.now()
        )

    async def update(self, request: ResourceRequest) -> Response:
        """Take the part from the pod sent."""
        asked = write_options(request, "UpdateOptions")
        sent = body_object(request, asked)
        return await self._write(request, lambda old, _: sent, "UpdateOptions")

    async def patch(self, request: ResourceRequest) -> Response:
        """Take the part from the patched pod."""
        asked = write_options(request, "PatchOptions")
        maker = patch_maker(request, asked, self._context.timestamp(), self._name)
        return await self._write(request, maker.make, "PatchOptions")

    async def _write(self, request: ResourceRequest, change: Make, options: str) -> Response:
        def make(old: Any, body: bytes) -> Any:
            sent = change(old, body)
            new = self._take(codec.decode(body, request.resource.kind.struct), sent)
            new.metadata.resource_version = sent.metadata.resource_version
            new.metadata.managed_fields = sent.metadata.managed_fields
            return new

        asked = write_options(request, options)
        written = await self._writer.update(request, make, asked, subresource=self._name, check=self._check)
        return self._replacer.answer(request, written)


def take_ephemeral(present: Pod, sent: Pod) -> Pod:
    """The pod with the ephemeral containers sent."""
    present.spec.ephemeral_containers = sent.spec.ephemeral_containers
    return present


def check_ephemeral(new: Pod, old: Pod, found: Errors) -> None:
    """Ephemeral containers may be added, never changed or taken away."""
    KIND.validate(new, found)
    path = "spec.ephemeralContainers"
    known = {c.name: c for c in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in known:
            found.forbidden(path, f'existing ephemeral containers "{container.name}" may not be removed')
        elif known[container.name] != container:
            found.forbidden(path, f'existing ephemeral containers "{container.name}" may not be changed')
    if "kubernetes.io/config.mirror" in old.metadata.annotations:
        found.forbidden("metadata.annotations", "static pods do not support ephemeral containers")


def take_resources(present: Pod, sent: Pod) -> Pod:
    """The pod with the resources and resize policies of the containers sent."""
    for mine, theirs in (
        (present.spec.containers, sent.spec.containers),
        (present.spec.init_containers, sent.spec.init_containers),
    ):
        wanted = {c.name: c for c in theirs}
        for container in mine:
            if container.name in wanted:
                container.resources = wanted[container.name].resources
                container.resize_policy = wanted[container.name].resize_policy
    return present


def check_resize(new: Pod, old: Pod, found: Errors) -> None:
    """The resources must be good; that nothing else changes is the work of `take_resources`."""
    KIND.validate(new, found)
    if new.status.qos_class != qos_class(new.spec):
        found.invalid("spec.containers", new.metadata.name, "Pod QOS Class may not change as a result of resizing")
