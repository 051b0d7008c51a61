"""From informer events to the snapshot and the queue.

Most events are heartbeats and status reports; they are sorted out first, by comparing what matters. Handlers only
store changes: the scheduling loop applies them in slices, so that a first list of thousands of pods does not hold the
event loop.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object
from pybernetes.scheduler.events import Action, Event
from pybernetes.scheduler.hints import helps
from pybernetes.scheduler.nodes import same_for_scheduling
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.queue import SchedulingQueue
from pybernetes.scheduler.snapshot import Snapshot, is_terminal
from pybernetes.scheduler.template import Template

Apply = Callable[[Any, Any], None]


class Intake:
    """Stores changes until `apply_next`."""

    def __init__(
        self,
        snapshot: Snapshot,
        queue: SchedulingQueue,
        nominations: Nominations,
        *,
        profiles: Mapping[str, Profile],
        monotonic: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._snapshot = snapshot
        self._queue = queue
        self._nominations = nominations
        self._profiles = profiles
        self._monotonic = monotonic
        self._wake = wake
        self._inbox: deque[tuple[Apply, Any, Any]] = deque()
        self._kinds = {i.kind for p in profiles.values() for found in p.interests.values() for i in found}
        """The kinds whose events may help refused pods."""
        self._gate_kinds = {
            i.kind for p in profiles.values() for name, _ in p.pre_enqueues for i in p.interests.get(name, ())
        }
        """The kinds whose events may let pods into the queue."""

    def __len__(self) -> int:
        return len(self._inbox)

    def apply_next(self) -> None:
        """Apply the oldest change."""
        apply, old, new = self._inbox.popleft()
        apply(old, new)

    # --- handlers of informers

    def on_node(self, old: Node | None, new: Node | None) -> None:
        """A node appeared, changed or is gone."""
        if old is None or new is None or not same_for_scheduling(old, new):
            self._hold(self._node, old, new)

    def on_pod(self, old: Pod | None, new: Pod | None) -> None:
        """A pod appeared, changed or is gone."""
        if old is not None and new is not None and old.metadata.uid != new.metadata.uid:
            self._hold(self._pod, old, None)
            old = None
        if old is None or new is None or not _same_bound(old, new):
            self._hold(self._pod, old, new)

    def on_namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        """A namespace appeared, changed or is gone; affinity terms select namespaces by label."""
        if old is None or new is None or old.metadata.labels != new.metadata.labels:
            self._hold(self._namespace, old, new)

    def on_object(self, old: Object | None, new: Object | None) -> None:
        """An object of another kind that a plugin looks at appeared, changed or is gone."""
        self._snapshot.objects_changed()
        if type(new or old) in self._kinds:
            self._hold(self._object, old, new)

    def _hold(self, apply: Apply, old: Any, new: Any) -> None:
        self._inbox.append((apply, old, new))
        self._wake()

    # --- applying changes

    def _node(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._snapshot.remove_node(old.metadata.name)
            self._notify(Event(kind=Node, action=Action.DELETE, old=old))
            return
        row = self._snapshot.put_node(new)
        for action in _node_changes(old, new):
            self._notify(Event(kind=Node, action=action, row=row, old=old, new=new))

    def _pod(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        uid = pod.metadata.uid
        if new is None or is_terminal(new):
            self._forget(uid)
            gone = self._snapshot.remove_pod(uid)
            if gone is not None:
                row = self._snapshot.nodes.row_of.get(gone.node_name)
                self._notify(Event(kind=Pod, action=Action.DELETE, row=row, old=old, new=new))
        elif new.spec.node_name:
            self._forget(uid)
            self._snapshot.put_pod(new)
            action = Action.UPDATE if old is not None and old.spec.node_name else Action.ADD
            self._notify(Event(kind=Pod, action=action, old=old, new=new))
        elif new.spec.scheduler_name in self._profiles:
            self._pending(old, new)

    def _pending(self, old: Pod | None, pod: Pod) -> None:
        if pod.metadata.deletion_timestamp:
            self._forget(pod.metadata.uid)
            return
        template = self._snapshot.templates.of(pod)
        self._queue.put(pod, template, self._monotonic(), self._profiles[template.scheduler_name].gate(pod))
        if old is None and pod.status.nominated_node_name:
            # Nominated before this process started.
            self._nominations.put(pod, template, pod.status.nominated_node_name)

    def _forget(self, uid: str) -> None:
        self._queue.remove(uid)
        self._nominations.remove(uid)

    def _namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        namespace = new or old
        assert namespace is not None
        self._snapshot.pods.put_namespace(namespace.metadata.name, new.metadata.labels if new else None)
        self._notify(Event(kind=Namespace, action=_action(old, new), old=old, new=new))

    def _object(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        assert obj is not None
        self._notify(Event(kind=type(obj), action=_action(old, new), old=old, new=new))

    def _notify(self, event: Event) -> None:
        def may_help(template: Template, plugins: tuple[str, ...]) -> bool:
            return helps(self._snapshot, self._profiles[template.scheduler_name], template, plugins, event)

        self._queue.on_event(may_help, self._monotonic())
        if event.kind in self._gate_kinds:
            for item in self._queue.gated():
                if may_help(item.template, item.plugins):
                    gate = self._profiles[item.template.scheduler_name].gate(item.pod)
                    self._queue.put(item.pod, item.template, self._monotonic(), gate)


def _action(old: Object | None, new: Object | None) -> Action:
    if old is None:
        return Action.ADD
    return Action.DELETE if new is None else Action.UPDATE


def _same_bound(old: Pod, new: Pod) -> bool:
    """Whether nothing of a bound pod has changed that concerns scheduling: the kubelet reports status often."""
    return (
        bool(old.spec.node_name)
        and old.spec == new.spec
        and old.metadata.labels == new.metadata.labels
        and bool(old.metadata.deletion_timestamp) == bool(new.metadata.deletion_timestamp)
        and is_terminal(old) == is_terminal(new)
        and old.metadata.owner_references == new.metadata.owner_references
    )


def _node_changes(old: Node | None, new: Node) -> Iterator[Action]:
    if old is None:
        yield Action.ADD
        return
    if old.status.allocatable != new.status.allocatable:
        yield Action.UPDATE_NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        yield Action.UPDATE_NODE_LABEL
    if old.spec != new.spec:
        yield Action.UPDATE_NODE_TAINT
