"""eviction: a deletion that asks first whether the pod can be spared."""

from pybernetes.api.meta import DeleteOptions, Status
from pybernetes.api.policy.eviction import KIND
from pybernetes.apiserver import codec, errors, rendering
from pybernetes.apiserver.call import Call
from pybernetes.apiserver.deleting import Deleter
from pybernetes.client.transport import Response


class EvictionSubresource:
    """POST to pods/<name>/eviction."""

    def __init__(self, deleter: Deleter) -> None:
        self._deleter = deleter

    async def create(self, call: Call) -> Response:
        """Delete the pod. Raises NotFound, Conflict."""
        eviction = codec.object_from(codec.json_body(call.request.body, call.content_type), KIND)
        if eviction.metadata.name and eviction.metadata.name != call.info.name:
            raise errors.bad_request(f"name in URL does not match name in Eviction object: {eviction.metadata.name}")
        asked = eviction.delete_options or DeleteOptions()
        if call.all_of("dryRun"):
            asked.dry_run = call.all_of("dryRun")
        await self._deleter.remove(call, call.info.name, asked)
        return rendering.response(201, codec.encode_status(Status(status="Success", code=201)), call.form)
