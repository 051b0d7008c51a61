"""The verbs create, update and patch on objects: from the body to `writing`, and back to the answer."""

from typing import Any

from pybernetes.api.meta import Object
from pybernetes.api.shape import Shape
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver import codec, errors, options, reading, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
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
        asked = write_options(request, "CreateOptions")
        obj = body_object(request, asked)
        return self.answer(request, await self._writer.create(request, obj, asked))

    async def update(self, request: ResourceRequest, subresource: Subresource[Any] | None = None) -> Response:
        """PUT: replace, or create where the kind allows that."""
        asked = write_options(request, "UpdateOptions")
        obj, copy = body_object(request, asked), request.resource.kind.schema.copy
        if not obj.metadata.name:
            raise errors.bad_request("name must be provided")
        try:
            written = await self._writer.update(request, lambda _, __: copy(obj), asked, subresource)
        except NotFound:
            if not request.resource.kind.create_on_update or subresource is not None:
                raise
            obj.metadata.resource_version = ""
            written = await self._writer.create(request, obj, asked)
        return self.answer(request, written)

    async def patch(self, request: ResourceRequest, subresource: Subresource[Any] | None = None) -> Response:
        """PATCH in any of its forms; server-side apply may create."""
        asked = write_options(request, "PatchOptions")
        name = subresource.name if subresource is not None else ""
        maker = patch_maker(request, asked, self._context.timestamp(), name)
        try:
            written = await self._writer.update(request, maker.make, asked, subresource)
        except NotFound:
            if not maker.creates or subresource is not None:
                raise
            written = await self._writer.create(request, maker.first(), asked)
        return self.answer(request, written)

    def answer(self, request: ResourceRequest, written: Written) -> Response:
        """The object as it is now."""
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
        # A component in the server's own process has no User-Agent, but a name: `system:kube-scheduler`.
        user_agent=request.user_agent or request.user.name.rpartition(":")[2],
        is_apply=kind == "PatchOptions" and codec.media_type(request.content_type) == APPLY_PATCH,
    )


def body_object(request: ResourceRequest, asked: WriteOptions) -> Object:
    """The request body as an object of the resource's kind; unknown and duplicate fields as fieldValidation says."""
    body = request.http.body
    kind = request.resource.kind
    obj: Object = codec.object_from(codec.json_body(body, request.content_type), kind)
    if codec.media_type(request.content_type) != codec.PROTOBUF:  # Its fields have numbers: none has a wrong name.
        complain(request, asked, body, kind.schema.shape)
    return obj


def complain(request: ResourceRequest, asked: WriteOptions, body: bytes, shape: Shape) -> None:
    """Unknown and duplicate fields: a warning, a refusal, or nothing. The default is Warn, as in the original."""
    if asked.field_validation == "Ignore" or not body:
        return
    if request.user.name.startswith("system:") and not asked.field_validation:
        return  # Components of the cluster send what their structs encode.
    problems = strict.find_problems(body, shape)
    if not problems:
        return
    if asked.field_validation == "Strict":
        kind = request.resource.kind
        raise errors.bad_request(
            f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
            f"strict decoding error: {', '.join(problems)}"
        )
    request.warnings += problems
