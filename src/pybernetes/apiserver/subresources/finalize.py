"""finalize: the namespace controller takes a namespace's own finalizers away, and with the last one it is gone."""

from typing import Any

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.field import Errors
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.context import ResourceRequest
from pybernetes.apiserver.replacing import Replacer, body_object, write_options
from pybernetes.apiserver.writing import Writer
from pybernetes.client.transport import Response


class FinalizeSubresource:
    """PUT to namespaces/<name>/finalize."""

    def __init__(self, writer: Writer, replacer: Replacer) -> None:
        self._writer = writer
        self._replacer = replacer

    async def update(self, request: ResourceRequest) -> Response:
        """Take over spec.finalizers and nothing else."""
        asked = write_options(request, "UpdateOptions")
        sent: Namespace = body_object(request, asked)
        if sent.metadata.name != request.info.name:
            raise errors.bad_request("name must be provided" if not sent.metadata.name else "name does not match URL")

        def make(old: Any, body: bytes) -> Any:
            new = codec.decode(body, Namespace)
            new.spec.finalizers = list(sent.spec.finalizers)
            new.metadata.resource_version = sent.metadata.resource_version
            new.metadata.uid = sent.metadata.uid or new.metadata.uid
            return new

        written = await self._writer.update(request, make, asked, subresource="finalize", check=_no_rules)
        return self._replacer.answer(request, written)


def _no_rules(new: Namespace, old: Namespace, found: Errors) -> None:
    """Nothing but the finalizers changes."""
