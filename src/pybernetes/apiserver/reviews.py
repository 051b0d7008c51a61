"""POST to review kinds: access reviews and token reviews. A review is decoded and answered, but never stored."""

from pybernetes.api.field import Errors
from pybernetes.apiserver import errors, fieldmanagers, media, rendering
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.metadata import check_namespace
from pybernetes.apiserver.replacing import body_object, write_options
from pybernetes.client.transport import Response


class ReviewHandler:
    """Handles POST to the review kinds."""

    def __init__(self, context: ServerContext, reviews: Reviews) -> None:
        self._context = context
        self._reviews = reviews

    async def answer(self, request: ResourceRequest) -> Response:
        """Raises BadRequest, Invalid, NotAcceptable."""
        kind, namespace = request.resource.kind, request.info.namespace
        form = media.negotiate(request.http.headers.get("accept", ""), transforms=False)
        requested = write_options(request, "CreateOptions")
        obj = body_object(request, requested)
        check_namespace(obj.metadata, kind, namespace=namespace)
        now = self._context.timestamp()
        fieldmanagers.track(obj, None, kind=kind, manager=requested.field_manager, now=now, subresource="")
        found = Errors()
        kind.schema.validate(obj, found)
        if found:
            raise errors.invalid_review(kind.group, found.all)
        answered = await self._reviews.review(kind.name, obj, request.user)
        return rendering.response(201, kind.schema.encode(answered), form)
