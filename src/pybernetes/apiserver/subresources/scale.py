"""scale: reads and writes the number of replicas of an object, in the same form for all kinds."""

from typing import Any

import msgspec

from pybernetes.api.autoscaling.scale import KIND, Scale, ScaleSpec, ScaleStatus
from pybernetes.api.field import Errors
from pybernetes.api.kind import ScalePaths
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.apiserver import codec, errors, reading, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.media import YAML
from pybernetes.apiserver.patching import patch_maker
from pybernetes.apiserver.replacing import write_options
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response

_NAME = "scale"


class ScaleSubresource:
    """GET, PUT and PATCH of /scale."""

    def __init__(self, context: ServerContext, writer: Writer) -> None:
        self._context = context
        self._writer = writer

    async def get(self, request: ResourceRequest) -> Response:
        """The object seen as a Scale."""
        obj: Object = await request.resource.read(reading.find(self._context, request))
        return self._answer(request, obj)

    async def update(self, request: ResourceRequest) -> Response:
        """Replace the number of replicas."""
        requested = codec.object_from(codec.json_body(request.http.body, request.content_type), KIND)
        return await self._write(request, lambda scale: requested, "UpdateOptions")

    async def patch(self, request: ResourceRequest) -> Response:
        """Patch the Scale, then replace."""
        options = write_options(request, "PatchOptions")
        maker = patch_maker(request, options, self._context.timestamp(), _NAME, kind=KIND)
        return await self._write(request, lambda scale: maker.make(scale, msgspec.json.encode(scale)), "PatchOptions")

    async def _write(self, request: ResourceRequest, change: Any, options: str) -> Response:
        paths = _paths(request)

        def make(old: Object, _: bytes) -> Object:
            wanted: Scale = change(scale_of(old, paths))
            _check(wanted, old)
            new: Object = paths.set(old, wanted.spec.replicas or 0)
            new.metadata.resource_version = wanted.metadata.resource_version
            if wanted.metadata.uid:
                new.metadata.uid = wanted.metadata.uid
            return new

        kind = request.resource.kind
        written = await self._writer.update(
            request, make, write_options(request, options), kind.subresource(_NAME), body=_AsScale(paths)
        )
        return self._answer(request, kind.schema.load(written.body))

    def _answer(self, request: ResourceRequest, obj: Object) -> Response:
        form = request.form
        body = codec.encode(scale_of(obj, _paths(request)))
        if form.media_type == YAML or not form.transform:
            return rendering.response(200, body, form)
        return rendering.obj(body, KIND, form, now=self._context.now())


class _AsScale:
    """A `writing.BodyView`: admission sees the Scale, and may change its number of replicas."""

    def __init__(self, paths: ScalePaths) -> None:
        self._paths = paths

    def show(self, obj: Object) -> Scale:
        """What the endpoint shows of an object."""
        return scale_of(obj, self._paths)

    def take(self, obj: Object, body: Scale) -> Object:
        """The object with the replicas of a Scale."""
        changed: Object = self._paths.set(obj, body.spec.replicas or 0)
        return changed


def _paths(request: ResourceRequest) -> ScalePaths:
    paths = request.resource.kind.scale
    if paths is None:
        raise errors.no_such_path()
    return paths


def scale_of(obj: Object, paths: ScalePaths) -> Scale:
    """What /scale shows of an object."""
    wanted, present, selector = paths.get(obj)
    meta = obj.metadata
    return Scale(
        api_version=KIND.api_version,
        kind=KIND.name,
        metadata=ObjectMeta(
            resource_version=meta.resource_version,
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=ScaleSpec(replicas=wanted),
        status=ScaleStatus(replicas=present, selector=selector),
    )


def _check(scale: Scale, old: Object) -> None:
    found = Errors()
    if (scale.spec.replicas or 0) < 0:
        found.invalid("spec.replicas", scale.spec.replicas, "must be greater than or equal to 0")
    if scale.metadata.name and scale.metadata.name != old.metadata.name:
        raise errors.bad_request(
            f"the name of the object ({scale.metadata.name}) does not match the name on the URL ({old.metadata.name})"
        )
    if found:
        raise errors.invalid(KIND, old.metadata.name, found.items)
