"""An API server as one user sees it: `await client.of(Pod).get("web", namespace="default")`.

A `Client` gives the requests on a resource, by a struct or by the resource's address. It keeps no state.
"""

from typing import Any, TypeVar, cast

from pybernetes.api.autoscaling.scale import Scale
from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object
from pybernetes.client.api_resource import ApiResource, resource_of
from pybernetes.client.decoding import raise_for_status
from pybernetes.client.resource import JSON, METADATA_ONLY, PartialObjectMetadata, Resource
from pybernetes.client.transport import Request, Response, Transport

K = TypeVar("K", bound=Object)

_HEADERS = {"content-type": JSON, "accept": JSON}


class Client:
    """An API server as one user sees it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resources: dict[type[Object], Resource[Any]] = {}

    def of(self, struct: type[K]) -> "Resource[K]":
        """The requests on one kind."""
        known = self._resources.get(struct)
        if known is None:
            known = self._resources[struct] = Resource(self._transport, resource_of(kind_of(struct)), struct)
        return cast("Resource[K]", known)

    def metadata(self, api: ApiResource) -> Resource[PartialObjectMetadata]:
        """The requests on any resource, for the metadata of its objects."""
        return Resource(self._transport, api, PartialObjectMetadata, METADATA_ONLY)

    async def scale(self, api: ApiResource, name: str, *, namespace: str = "") -> Scale:
        """The scale of an object of any resource that has the subresource. Raises NotFound."""
        return await Resource(self._transport, api, Scale).get(name, namespace=namespace, subresource="scale")

    async def get_document(self, path: str, *, accept: str = JSON, etag: str = "") -> Response:
        """A document that is no object, such as discovery. With an ETag the answer may be 304, Not Modified."""
        headers = {"accept": accept, **({"if-none-match": etag} if etag else {})}
        response = await self._transport.request(Request(method="GET", path=path, headers=headers))
        raise_for_status(response)
        return response

    async def raw(self, method: str, path: str, body: bytes = b"", **query: str) -> bytes:
        """Any other request, such as GET /version."""
        response = await self._transport.request(
            Request(method=method, path=path, query=tuple(query.items()), headers=_HEADERS, body=body)
        )
        raise_for_status(response)
        return response.body

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()
