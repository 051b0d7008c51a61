"""The verbs create, update and patch: decode the body, call `writing`, and make the response."""

from typing import Any

from pybernetes.api.meta import Object
from pybernetes.api.shape import Shape
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver import codec, errors, options, reading, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.metadata import NAME_MISSING
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.patching import APPLY_PATCH, patch_maker
from pybernetes.apiserver.schema import strict
from pybernetes.apiserver.writing import Writer, Written
from pybernetes.client.errors import NotFound
from pybernetes.client.transport import Response


class Replacer:
    """Answers GET, POST, PUT and PATCH on objects, and on the subresources that show the object itself."""

    def __init__(self, context: ServerContext, writer: Writer) -> None:
        self._context = context
        self._writer = writer

    async def get(self, request: ResourceRequest) -> Response:
        """GET of an object."""
        return await reading.get(self._context, request)

    async def create(self, request: ResourceRequest) -> Response:
        """POST to a collection."""
        requested = write_options(request, "CreateOptions")
        obj = body_object(request, requested)
        return self.answer(request, await self._writer.create(request, obj, requested))

    async def update(self, request: ResourceRequest, subresource: Subresource[Any] | None = None) -> Response:
        """PUT: replace the object, or create it if the kind allows that."""
        requested = write_options(request, "UpdateOptions")
        obj, copy = body_object(request, requested), request.resource.kind.schema.copy
        if not obj.metadata.name:
            raise errors.bad_request(NAME_MISSING.format(request.info.name))
        try:
            written = await self._writer.update(request, lambda _, __: copy(obj), requested, subresource)
        except NotFound:
            if not request.resource.kind.create_on_update or subresource is not None:
                raise
            obj.metadata.resource_version = ""
            written = await self._writer.create(request, obj, requested)
        return self.answer(request, written)

    async def patch(self, request: ResourceRequest, subresource: Subresource[Any] | None = None) -> Response:
        """PATCH in any form. Server-side apply can create the object."""
        requested = write_options(request, "PatchOptions")
        name = subresource.name if subresource is not None else ""
        maker = patch_maker(request, requested, self._context.timestamp(), name)
        try:
            written = await self._writer.update(request, maker.make, requested, subresource)
        except NotFound:
            if not maker.creates or subresource is not None:
                raise
            written = await self._writer.create(request, maker.first(), requested)
        return self.answer(request, written)

    def answer(self, request: ResourceRequest, written: Written) -> Response:
        """The response with the written object."""
        status = 201 if written.created else 200
        include = request.query.get("includeObject", "")
        return rendering.obj(
            written.body, request.resource.kind, request.form, now=self._context.now(), status=status, include=include
        )


def write_options(request: ResourceRequest, kind: str) -> WriteOptions:
    """The options of a write, from the query."""
    return options.write_options(
        request.query,
        request.all_of("dryRun"),
        kind=kind,
        # A component in the server's process sends no User-Agent, but has a name: `system:kube-scheduler`.
        user_agent=request.user_agent or request.user.name.rpartition(":")[2],
        is_apply=kind == "PatchOptions" and codec.media_type(request.content_type) == APPLY_PATCH,
    )


def body_object(request: ResourceRequest, requested: WriteOptions) -> Object:
    """The request body as an object of the resource's kind, with unknown and duplicate fields reported."""
    body = request.http.body
    kind = request.resource.kind
    obj: Object = codec.object_from(codec.json_body(body, request.content_type), kind)
    if codec.media_type(request.content_type) != codec.PROTOBUF:  # Protobuf fields have no names that could be wrong.
        report_problems(request, requested, body, kind.schema.shape)
    return obj


def report_problems(request: ResourceRequest, requested: WriteOptions, body: bytes, shape: Shape) -> None:
    """Warn about unknown and duplicate fields, or refuse them, as fieldValidation says. The default is Warn."""
    if requested.field_validation == "Ignore" or not body:
        return
    if request.user.name.startswith("system:") and not requested.field_validation:
        return  # Components encode structs, which have no unknown fields.
    problems = strict.find_problems(body, shape)
    if not problems:
        return
    if requested.field_validation == "Strict":
        kind = request.resource.kind
        raise errors.bad_request(
            f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
            f"strict decoding error: {', '.join(problems)}"
        )
    request.warnings += problems
