"""Words shared by all of the kubelet: collaborators as small protocols, and times."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Recorder(Protocol):
    """Tells users what happened to an object."""

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str, /) -> None:
        """Record an event; `type_` is Normal or Warning."""


class PodHandler(Protocol):
    """Told of the pods that this node should run."""

    def __call__(self, old: Pod | None, new: Pod | None) -> None:
        """old is None for a new pod, new is None for one that went."""


class PodSource(Protocol):
    """The pods that the API server has bound to this node."""

    def subscribe(self, handler: PodHandler) -> None:
        """Tell `handler` of every pod there is, and of every change."""

    async def synced(self) -> None:
        """Wait until all pods there were at the start have been told."""


def rfc3339(seconds: float) -> str:
    """`2026-01-02T15:04:05Z`; empty for 0, "not yet"."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds > 0 else ""


def rfc3339_micro(seconds: float) -> str:
    """`2026-01-02T15:04:05.000000Z`"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(time: str) -> float:
    """The inverse of both; 0 for an empty text. Raises ValueError."""
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def pod_label(pod: Pod) -> str:
    """How the original names a pod in messages: `web_default(uid)`"""
    meta = pod.metadata
    return f"{meta.name}_{meta.namespace}({meta.uid})"


def pod_key(pod: Pod) -> str:
    """`default/web`"""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
