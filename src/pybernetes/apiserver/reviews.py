"""The kinds that are only asked about: access reviews, token reviews. Decoded, answered, never stored."""

from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.apiserver import codec, media, rendering
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.requests import RequestInfo
from pybernetes.apiserver.types import User
from pybernetes.client.transport import Request, Response


class ReviewHandler:
    """Answers POST to the review kinds."""

    def __init__(self, context: ServerContext, reviews: Reviews) -> None:
        self._context = context
        self._reviews = reviews

    async def answer(self, request: Request, user: User, info: RequestInfo, kind: Kind[Any]) -> Response:
        """Raises BadRequest, NotAcceptable."""
        form = media.negotiate(request.headers.get("accept", ""), transforms=False)
        body = codec.json_body(request.body, request.headers.get("content-type", ""))
        obj = codec.object_from(body, kind)
        if kind.namespaced:
            obj.metadata.namespace = obj.metadata.namespace or info.namespace
        obj.metadata.creation_timestamp = self._context.timestamp()
        answered = await self._reviews.review(kind.name, obj, user, info.namespace)
        return rendering.response(201, codec.encode(answered), form)
