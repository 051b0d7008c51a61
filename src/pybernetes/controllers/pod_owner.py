"""The base of loops over owners of pods: ReplicaSet, ReplicationController, DaemonSet.

A subclass gets each owner with its pods (`sync`) and decides which pods to create and delete and what the status is
(`apply`). The rest is here: pods are adopted and released; nothing is decided before the cache shows the loop's own
writes; creations start slowly; a pass writes at most `burst` pods; changes that only alter figures are coalesced.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec

from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.client.informer import Informer, key_of
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.owner import OwnerController
from pybernetes.controllers.ownership import BY_CONTROLLER
from pybernetes.controllers.podcontrol import PodControl
from pybernetes.controllers.types import Context

R = TypeVar("R", bound=Object)

_NEXT_BURST = 0.05
"""Seconds until the next pass when this one could not do everything; events of its pods may come later."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Pods to create and to delete, and why."""

    create: Sequence[Pod] = ()
    delete: Sequence[Pod] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a plan."""

    plan: Plan = Plan()
    error: Exception | None = None


class PodOwnerController(OwnerController[R, Pod]):
    """Keys are those of the owners."""

    dependent_type = Pod
    burst: int = 500
    """The most pods that one pass creates or deletes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.expectations = Expectations(cast("Informer[Object]", self.informer(Pod)), context.clock.now)
        self._control = PodControl(context.client, context.recorder, self.expectations)

    @abstractmethod
    async def sync(self, owner: R, pods: list[Pod]) -> float | None:
        """One pass over an owner and the pods that are its own; usually ends in `apply`. Returns the seconds until the
        next pass that is due by time alone, if there is one."""

    def accepts(self, owner: R) -> bool:
        """Whether to look after this owner at all."""
        return True

    def owner_changed(self, old: R | None, new: R | None) -> None:
        """A change of the spec is reconciled at once, any other (such as our own status) a little later."""
        if old is None or new is None or old.metadata.generation != new.metadata.generation:
            self.queue.add(key_of(cast("Object", new or old)))
        else:
            self._add_coalesced(new)

    def dependent_changed(self, owner: R, old: Pod | None, new: Pod | None) -> None:
        """A pod that was lost is replaced at once. Other changes only alter figures, as do our own deletions."""
        lost = new is None or (old is not None and podfacts.is_active(old) and not podfacts.is_active(new))
        if lost and not self.expectations.is_deleted(key_of(owner), cast("Pod", new or old)):
            self.queue.add(key_of(owner))
        else:
            self._add_coalesced(owner)

    def _add_coalesced(self, owner: R) -> None:
        self.queue.add_coalesced(key_of(owner), self.dependents.count(BY_CONTROLLER, owner.metadata.uid))

    async def reconcile(self, key: str) -> float | None:
        """One pass over one owner."""
        owner = self.owners.get(key)
        if owner is None:
            self.expectations.forget(key)
            return None
        if not self.accepts(owner):
            return None
        return await self.sync(owner, await self.claimed(owner))

    async def apply(
        self,
        owner: R,
        pods: list[Pod],
        plan: Callable[[R, Sequence[Pod]], Plan],
        status: Callable[[R, Sequence[Pod], Attempt], tuple[msgspec.Struct, float | None]],
    ) -> float | None:
        """Carry out the plan for these pods, unless the cache lags or the owner is being deleted, and write the status.
        `status` also returns the seconds until the status changes by time alone, if it does."""
        attempt, unfinished = Attempt(), False
        if not owner.metadata.deletion_timestamp:
            unfinished = not self._is_settled(owner)
            if not unfinished:
                wanted = plan(owner, pods)
                attempt = Attempt(wanted, await self._carry_out(owner, wanted))
                unfinished = max(len(wanted.create), len(wanted.delete)) > self.burst
        key = key_of(owner)
        left = [pod for pod in pods if not self.expectations.is_deleted(key, pod)]
        result, wait = status(owner, left, attempt)
        await self.write_status(owner, result)
        if attempt.error is not None:
            raise attempt.error
        return _NEXT_BURST if unfinished else wait

    def _is_settled(self, owner: R) -> bool:
        """Whether the cache shows everything that this loop has written for the owner."""
        return self.expectations.satisfied(key_of(owner))

    async def _carry_out(self, owner: R, plan: Plan) -> Exception | None:
        """Delete and create pods, at most `burst` of each. Returns the first error, so that the status can be written
        before it is raised."""
        key = key_of(owner)
        try:
            await self._control.delete(key, owner, plan.delete[: self.burst])
            await self._control.create(key, owner, plan.create[: self.burst])
        except (ApiError, Unreachable) as error:
            return error
        return None
