"""Creates and deletes the pods of a workload: slowly at first, with events, recorded in the expectations."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from pybernetes.api.core.pod import Pod, PodTemplateSpec
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Forbidden, NotFound, Unreachable
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.ownership import controller_ref
from pybernetes.controllers.types import Recorder

T = TypeVar("T")

_PARALLEL_DELETES = 64


def from_template(template: PodTemplateSpec, owner: Object) -> Pod:
    """A new pod from a template, controlled by `owner`."""
    meta = template.metadata
    return Pod(
        api_version="v1",
        kind="Pod",
        metadata=ObjectMeta(
            generate_name=owner.metadata.name + "-",
            namespace=owner.metadata.namespace,
            labels=meta.labels,
            annotations=meta.annotations,
            finalizers=meta.finalizers,
            owner_references=[controller_ref(owner)],
        ),
        spec=template.spec,
    )


async def slow_start(items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Process 1, then 2, 4, 8... items at once, so that a mistake in a template costs one refusal and not thousands.
    Raises the first error of a batch and skips the rest."""
    done, size = 0, 1
    while done < len(items):
        batch = items[done : done + size]
        results = await asyncio.gather(*(work(item) for item in batch), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        done += len(batch)
        size *= 2


class PodControl:
    """Writes pods for one controller."""

    def __init__(self, client: Client, recorder: Recorder, expectations: Expectations) -> None:
        self._pods = client.of(Pod)
        self._recorder = recorder
        self._expectations = expectations

    async def create(self, key: str, owner: Object, pods: Sequence[Pod]) -> None:
        """Create all pods. That a terminating namespace accepts no pods is not an error."""
        try:
            await slow_start(pods, lambda pod: self._create(key, owner, pod))
        except Forbidden as error:
            if not namespace_is_going(error):
                raise

    async def _create(self, key: str, owner: Object, pod: Pod) -> None:
        try:
            created = await self._pods.create(pod)
        except ApiError as error:
            if not namespace_is_going(error):
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._expectations.wrote(key, created)
        self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")

    async def delete(self, key: str, owner: Object, pods: Sequence[Pod]) -> None:
        """Delete all pods; raises the first error after trying each."""
        errors: list[BaseException] = []
        for start in range(0, len(pods), _PARALLEL_DELETES):
            batch = pods[start : start + _PARALLEL_DELETES]
            results = await asyncio.gather(*(self._delete(key, owner, pod) for pod in batch), return_exceptions=True)
            errors += [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise errors[0]

    async def _delete(self, key: str, owner: Object, pod: Pod) -> None:
        meta = pod.metadata
        try:
            await self._pods.delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return
        except (ApiError, Unreachable) as error:
            self._recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self._expectations.deleted(key, pod)
        self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")


def namespace_is_going(error: ApiError) -> bool:
    """Whether a creation was refused because its namespace is being deleted."""
    details = error.status.details
    return details is not None and any(cause.reason == "NamespaceTerminating" for cause in details.causes)
