"""The pods of the node, from all sources, and one worker for each.

A pod that the runtime has and that no source contains is an orphan. Orphans are removed once all sources have synced.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.wellknown import ANNOTATION_MIRROR_POD
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Conflict, NotFound, Unreachable
from pybernetes.kubelet.podspec import is_static
from pybernetes.kubelet.runtime import RuntimeFailure
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.worker import PodWorker

log = logging.getLogger(__name__)

_DELETE_RETRY = 1.0


class PodRegistry:
    """The pods of all sources, by uid."""

    def __init__(self) -> None:
        self.by_uid: dict[str, Pod] = {}
        self.mirrors: dict[str, Pod] = {}
        """namespace/name -> mirror pod, which represents a static pod in the API server."""

    def get(self, uid: str) -> Pod | None:
        """The current version of a pod."""
        return self.by_uid.get(uid)

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod with this name. There may be several while an old one terminates; the newest wins."""
        found = [p for p in self.by_uid.values() if p.metadata.name == name and p.metadata.namespace == namespace]
        return max(found, key=lambda p: p.metadata.creation_timestamp, default=None)

    def in_api(self, pod: Pod) -> Pod | None:
        """A pod as the API server has it: for a static pod its mirror pod, if there is one."""
        if is_static(pod):
            return self.mirrors.get(f"{pod.metadata.namespace}/{pod.metadata.name}")
        return self.by_uid.get(pod.metadata.uid, pod)

    def all(self) -> list[Pod]:
        """All pods."""
        return list(self.by_uid.values())


class PodManager:
    """Starts, updates and ends the pods' workers."""

    def __init__(self, services: Services, registry: PodRegistry, client: Client) -> None:
        self._services = services
        self._registry = registry
        self._pods = client.of(Pod)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.on_mirror: Callable[[], None] | None = None
        self.on_change: list[Callable[[Pod | None, Pod | None], None]] = []

    async def run(self) -> None:
        """Run the workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for worker in self._workers.values():
                self._start(worker)
            await asyncio.Event().wait()

    def handle(self, old: Pod | None, new: Pod | None) -> None:
        """Handle a pod that was added to, changed in or removed from the API server."""
        pod = new or old
        assert pod is not None
        if ANNOTATION_MIRROR_POD in pod.metadata.annotations:
            key = f"{pod.metadata.namespace}/{pod.metadata.name}"
            if new is not None:
                self._registry.mirrors[key] = new
            else:
                self._registry.mirrors.pop(key, None)
            if self.on_mirror is not None and (old is None or new is None):
                self.on_mirror()
            return
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self.remove(old)
        if new is not None:
            self.put(new)

    def put(self, pod: Pod) -> None:
        """Run a pod, or update it."""
        uid = pod.metadata.uid
        before = self._registry.by_uid.get(uid)
        self._registry.by_uid[uid] = pod
        for listener in self.on_change:
            listener(before, pod)
        worker = self._workers.get(uid)
        if worker is None:
            self._workers[uid] = worker = PodWorker(self._services, pod, self._finish)
            if self._group is not None:
                self._start(worker)
        elif before is None or _is_relevant(before, pod):
            worker.update(pod)
        else:
            worker.pod = pod

    def remove(self, pod: Pod) -> None:
        """Stop running a pod."""
        before = self._registry.by_uid.pop(pod.metadata.uid, None)
        for listener in self.on_change:
            listener(before, None)
        worker = self._workers.get(pod.metadata.uid)
        if worker is not None:
            worker.remove()

    def poke(self, uid: str) -> None:
        """Synchronize a pod: its state in the runtime has changed."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.poke()

    def poke_all(self) -> None:
        """Synchronize all pods."""
        for worker in self._workers.values():
            worker.poke()

    async def remove_orphans(self) -> None:
        """Remove pods that no source contains. Call this only after all sources have synced."""
        try:
            present = await self._services.runtime.list_pods()
        except RuntimeFailure as error:
            log.warning("listing orphaned pods: %s", error)
            return
        unknown = {uid: (ref.namespace, ref.name) for uid, (ref, _) in present.items()}
        for uid in self._services.volumes.uids():
            unknown.setdefault(uid, ("", ""))
        for uid, (namespace, name) in unknown.items():
            if uid in self._workers:
                continue
            log.info("removing orphaned pod %s/%s (%s)", namespace, name, uid)
            worker = PodWorker(
                self._services, Pod(metadata=ObjectMeta(namespace=namespace, name=name, uid=uid)), self._finish
            )
            worker.remove()
            self._workers[uid] = worker
            if self._group is not None:
                self._start(worker)

    def _start(self, worker: PodWorker) -> None:
        assert self._group is not None
        uid = worker.pod.metadata.uid
        task = self._group.create_task(self._run(uid, worker), name=f"worker of {worker.pod.metadata.name}")
        self._tasks[uid] = task

    async def _run(self, uid: str, worker: PodWorker) -> None:
        await worker.run()
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        # A static pod may be added again, with the same uid, while its previous instance terminates.
        again = self._registry.by_uid.get(uid)
        if again is not None and worker.removed:
            self.put(again)

    async def _finish(self, pod: Pod) -> None:
        """Delete a terminated pod from the API server."""
        meta = pod.metadata
        while True:
            try:
                await self._pods.delete(meta.name, namespace=meta.namespace, grace_period_seconds=0, uid=meta.uid)
                return
            except (NotFound, Conflict):
                return
            except (ApiError, Unreachable) as error:
                log.debug("deleting pod %s/%s: %s", meta.namespace, meta.name, error)
                await asyncio.sleep(_DELETE_RETRY)

    def worker_uids(self) -> Iterable[str]:
        """The uids of pods with a worker."""
        return self._workers.keys()


def _is_relevant(old: Pod, new: Pod) -> bool:
    """Whether a worker must react to a change. Changes of the status that the kubelet itself wrote do not matter."""
    a, b = old.metadata, new.metadata
    if (a.deletion_timestamp, a.deletion_grace_period_seconds) != (
        b.deletion_timestamp,
        b.deletion_grace_period_seconds,
    ):
        return True
    if a.labels != b.labels or a.annotations != b.annotations or old.spec != new.spec:
        return True
    return bool(new.spec.readiness_gates) and old.status.conditions != new.status.conditions
