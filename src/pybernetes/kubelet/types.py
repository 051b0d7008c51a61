"""Types shared by all of the kubelet, and conversions of times."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Recorder(Protocol):
    """Records events about objects."""

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str, /) -> None:
        """Record an event; `type_` is Normal or Warning."""


class PodHandler(Protocol):
    """Handles changes of the pods of this node."""

    def __call__(self, old: Pod | None, new: Pod | None) -> None:
        """`old` is None for a new pod; `new` is None for a removed one."""


class PodSource(Protocol):
    """The API server's pods that are bound to this node."""

    def subscribe(self, handler: PodHandler) -> None:
        """Call `handler` for every existing pod and for every change."""

    async def synced(self) -> None:
        """Wait until the handlers have been called for all existing pods."""


def rfc3339(seconds: float) -> str:
    """`2026-01-02T15:04:05Z`; empty for 0."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds > 0 else ""


def rfc3339_micro(seconds: float) -> str:
    """`2026-01-02T15:04:05.000000Z`"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(time: str) -> float:
    """Parse a time of either format; 0 for an empty string. Raises ValueError."""
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def pod_label(pod: Pod) -> str:
    """The pod's name in kubelet's messages: `web_default(uid)`"""
    meta = pod.metadata
    return f"{meta.name}_{meta.namespace}({meta.uid})"


def pod_key(pod: Pod) -> str:
    """`default/web`"""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
