"""Keeps the Node authorizer in step with the stored pods: what runs on a node decides what the node may read."""

from pybernetes.api.core.pod import KIND, Pod
from pybernetes.apiserver import codec
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Store


async def feed_nodes(store: Store, nodes: NodeAuthorizer) -> None:
    """Follow the store until cancelled. What was there before the call counts as well."""
    while True:
        page = store.range(KIND.key_prefix)
        present = [codec.decode(kv.value, Pod) for kv in page.items]
        nodes.reset(present)
        try:
            async with store.watch(KIND.key_prefix, from_revision=page.revision) as watch:
                async for batch in watch:
                    for event in batch:
                        pod = codec.decode(event.kv.value, Pod)
                        if event.kind == "delete":
                            nodes.remove(pod)
                        else:
                            nodes.put(pod)
        except (store_errors.Compacted, store_errors.WatchOverflow):
            continue
        except store_errors.StoreClosed:
            return
