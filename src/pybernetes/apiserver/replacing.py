"""The verbs create, update and patch on objects: from the body to `writing`, and back to the answer."""

from typing import Any

from pybernetes.apiserver import codec, errors, options, rendering
from pybernetes.apiserver.call import Call, Core
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.patching import APPLY_PATCH, patch_maker
from pybernetes.apiserver.schema import strict
from pybernetes.apiserver.writing import Writer, Written
from pybernetes.client.errors import NotFound
from pybernetes.client.transport import Response


class Replacer:
    """Answers POST, PUT and PATCH."""

    def __init__(self, core: Core, writer: Writer) -> None:
        self._core = core
        self._writer = writer

    async def create(self, call: Call) -> Response:
        """POST to a collection."""
        asked = write_options(call, "CreateOptions")
        obj = body_object(call, asked)
        return self.answer(call, await self._writer.create(call, obj, asked))

    async def update(self, call: Call, *, subresource: str = "") -> Response:
        """PUT: replace, or create where the kind allows that."""
        asked = write_options(call, "UpdateOptions")
        obj = body_object(call, asked)
        if not obj.metadata.name:
            raise errors.bad_request("name must be provided")
        try:
            written = await self._writer.update(call, lambda old, _: codec.copy(obj), asked, subresource=subresource)
        except NotFound:
            if not call.resource.kind.create_on_update or subresource:
                raise
            obj.metadata.resource_version = ""
            written = await self._writer.create(call, obj, asked)
        return self.answer(call, written)

    async def patch(self, call: Call, *, subresource: str = "") -> Response:
        """PATCH in any of its forms; server-side apply may create."""
        asked = write_options(call, "PatchOptions")
        maker = patch_maker(call, asked, self._core.timestamp(), subresource)
        try:
            written = await self._writer.update(call, maker.make, asked, subresource=subresource)
        except NotFound:
            if not maker.creates or subresource:
                raise
            written = await self._writer.create(call, maker.first(), asked)
        return self.answer(call, written)

    def answer(self, call: Call, written: Written) -> Response:
        """The object as it is now."""
        status = 201 if written.created else 200
        include = call.query.get("includeObject", "")
        return rendering.obj(
            written.body, call.resource, call.form, now=self._core.now(), status=status, include=include
        )


def write_options(call: Call, kind: str) -> WriteOptions:
    """The options of a write, from the query."""
    return options.write_options(
        call.query,
        call.all_of("dryRun"),
        kind=kind,
        # A component in the server's own process has no User-Agent, but a name: `system:kube-scheduler`.
        user_agent=call.user_agent or call.user.name.rpartition(":")[2],
        is_apply=kind == "PatchOptions" and codec.media_type(call.content_type) == APPLY_PATCH,
    )


def body_object(call: Call, asked: WriteOptions) -> Any:
    """The request body as the resource's struct; unknown and duplicate fields as fieldValidation says."""
    body = call.request.body
    kind = call.resource.kind
    obj = codec.object_from(codec.json_body(body, call.content_type), kind)
    if codec.media_type(call.content_type) != codec.PROTOBUF:  # Its fields have numbers: none has a wrong name.
        complain(call, asked, body, kind.struct)
    return obj


def complain(call: Call, asked: WriteOptions, body: bytes, struct: type[Any]) -> None:
    """Unknown and duplicate fields: a warning, a refusal, or nothing. The default is Warn, as in the original."""
    if asked.field_validation == "Ignore" or not body:
        return
    if call.user.name.startswith("system:") and not asked.field_validation:
        return  # Components of the cluster send what their structs encode.
    problems = strict.find_problems(body, struct)
    if not problems:
        return
    if asked.field_validation == "Strict":
        kind = call.resource.kind
        raise errors.bad_request(
            f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
            f"strict decoding error: {', '.join(problems)}"
        )
    call.warnings += problems
