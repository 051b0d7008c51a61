"""From informer events to the snapshot and the queue.

Most events are heartbeats and status reports; they are told apart first, by comparing what matters. Handlers only
put changes aside: they are worked in by the scheduling loop in slices, so that a first list of thousands of pods
does not hold the event loop.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.hints import Change, Event, helps
from pybernetes.scheduler.nodes import same_for_scheduling
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.queue import SchedulingQueue
from pybernetes.scheduler.snapshot import Snapshot, is_terminal

Apply = Callable[[Any, Any], None]


class Intake:
    """Holds changes back until `apply_next`."""

    def __init__(
        self,
        snapshot: Snapshot,
        queue: SchedulingQueue,
        nominations: Nominations,
        *,
        scheduler_name: str,
        monotonic: Callable[[], float],
        wake: Callable[[], None],
        gated: Callable[[Pod], None],
    ) -> None:
        self._snapshot = snapshot
        self._queue = queue
        self._nominations = nominations
        self._scheduler_name = scheduler_name
        self._monotonic = monotonic
        self._wake = wake
        self._gated = gated
        self._inbox: deque[tuple[Apply, Any, Any]] = deque()

    def __len__(self) -> int:
        return len(self._inbox)

    def apply_next(self) -> None:
        """Work in the oldest change."""
        apply, old, new = self._inbox.popleft()
        apply(old, new)

    # --- handlers of informers

    def on_node(self, old: Node | None, new: Node | None) -> None:
        """A node appeared, changed or went."""
        if old is None or new is None or not same_for_scheduling(old, new):
            self._hold(self._node, old, new)

    def on_pod(self, old: Pod | None, new: Pod | None) -> None:
        """A pod appeared, changed or went."""
        if old is not None and new is not None and old.metadata.uid != new.metadata.uid:
            self._hold(self._pod, old, None)
            old = None
        if old is None or new is None or not _same_bound(old, new):
            self._hold(self._pod, old, new)

    def on_namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        """A namespace's labels can be selected by."""
        if old is None or new is None or old.metadata.labels != new.metadata.labels:
            self._hold(self._namespace, old, new)

    def _hold(self, apply: Apply, old: Any, new: Any) -> None:
        self._inbox.append((apply, old, new))
        self._wake()

    # --- working them in

    def _node(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._snapshot.remove_node(old.metadata.name)
            self._tell(Event(Change.NODE_REMOVED))
            return
        row = self._snapshot.put_node(new)
        for change in _node_changes(old, new):
            self._tell(Event(change, row))

    def _pod(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        uid = pod.metadata.uid
        if new is None or is_terminal(new):
            self._forget(uid)
            gone = self._snapshot.remove_pod(uid)
            if gone is not None:
                self._tell(Event(Change.POD_REMOVED, self._snapshot.nodes.row_of.get(gone.node_name)))
        elif new.spec.node_name:
            self._forget(uid)
            self._snapshot.put_pod(new)
            self._tell(Event(Change.POD_ADDED))
        elif new.spec.scheduler_name == self._scheduler_name:
            self._pending(old, new)

    def _pending(self, old: Pod | None, pod: Pod) -> None:
        if pod.metadata.deletion_timestamp:
            self._forget(pod.metadata.uid)
            return
        template = self._snapshot.templates.of(pod)
        self._queue.put(pod, template, self._monotonic())
        if old is None and pod.status.nominated_node_name:
            # Nominated before this process started.
            self._nominations.put(pod, template, pod.status.nominated_node_name)
        if pod.spec.scheduling_gates:
            self._gated(pod)

    def _forget(self, uid: str) -> None:
        self._queue.remove(uid)
        self._nominations.remove(uid)

    def _namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        namespace = new or old
        assert namespace is not None
        self._snapshot.pods.put_namespace(namespace.metadata.name, new.metadata.labels if new else None)
        self._tell(Event(Change.NAMESPACE))

    def _tell(self, event: Event) -> None:
        snapshot = self._snapshot
        self._queue.on_event(lambda template, plugins: helps(snapshot, template, plugins, event), self._monotonic())


def _same_bound(old: Pod, new: Pod) -> bool:
    """Whether a pod on a node has changed in nothing that counts here: the kubelet reports a lot."""
    return (
        bool(old.spec.node_name)
        and old.spec == new.spec
        and old.metadata.labels == new.metadata.labels
        and bool(old.metadata.deletion_timestamp) == bool(new.metadata.deletion_timestamp)
        and is_terminal(old) == is_terminal(new)
        and old.metadata.owner_references == new.metadata.owner_references
    )


def _node_changes(old: Node | None, new: Node) -> Iterator[Change]:
    if old is None:
        yield Change.NODE_ADDED
        return
    if old.status.allocatable != new.status.allocatable:
        yield Change.NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        yield Change.NODE_LABELS
    if old.spec != new.spec:
        yield Change.NODE_TAINTS
