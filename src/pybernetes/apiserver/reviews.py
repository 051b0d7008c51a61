"""POST to review kinds: access reviews and token reviews. A review is decoded and answered, but never stored."""

from pybernetes.api.meta import Object
from pybernetes.apiserver import codec, media, rendering
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.client.transport import Response


class ReviewHandler:
    """Handles POST to the review kinds."""

    def __init__(self, context: ServerContext, reviews: Reviews) -> None:
        self._context = context
        self._reviews = reviews

    async def answer(self, request: ResourceRequest) -> Response:
        """Raises BadRequest, NotAcceptable."""
        kind, namespace = request.resource.kind, request.info.namespace
        form = media.negotiate(request.http.headers.get("accept", ""), transforms=False)
        obj: Object = codec.object_from(codec.json_body(request.http.body, request.content_type), kind)
        if kind.namespaced:
            obj.metadata.namespace = obj.metadata.namespace or namespace
        obj.metadata.creation_timestamp = self._context.timestamp()
        answered = await self._reviews.review(kind.name, obj, request.user, namespace)
        return rendering.response(201, kind.schema.encode(answered), form)
