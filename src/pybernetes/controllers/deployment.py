"""Deployment: replace the pods of one template by those of another, in steps, through ReplicaSets.

The shell: claims the ReplicaSets, creates the one of the current template, applies the next step that
`deployment_scaling` returns, and writes the status that `deployment_status` computes. Every pass starts from what the
caches show, so that it does not matter where the last one stopped.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from pybernetes.api.apps.deployment import Deployment, DeploymentStatus
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.client.errors import AlreadyExists, ApiError, NotFound
from pybernetes.client.informer import key_of
from pybernetes.controllers import deployment_revisions as revisions
from pybernetes.controllers import deployment_scaling as scaling
from pybernetes.controllers import deployment_status as status
from pybernetes.controllers.config import DeploymentConfig
from pybernetes.controllers.deployment_scaling import Resize, size
from pybernetes.controllers.owner import OwnerController
from pybernetes.controllers.ownership import (
    BY_CONTROLLER,
    controller_of,
    index_by_controller,
    is_controlled_by,
    resolve,
)
from pybernetes.controllers.podcontrol import namespace_is_going
from pybernetes.controllers.selectors import is_empty, matches
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rollout:
    """One pass over one Deployment. `deployment.status` has the conditions computed so far; `stored` is the status on
    the server."""

    deployment: Deployment
    stored: DeploymentStatus
    new: ReplicaSet | None
    olds: list[ReplicaSet] = field(default_factory=list)

    @property
    def sets(self) -> list[ReplicaSet]:
        """All ReplicaSets, the new one first."""
        return self.olds if self.new is None else [self.new, *self.olds]

    def swap(self, before: ReplicaSet, after: ReplicaSet) -> None:
        """Replace a ReplicaSet by a newer version of it."""
        if before is self.new:
            self.new = after
        else:
            self.olds = [after if rs is before else rs for rs in self.olds]


class DeploymentController(OwnerController[Deployment, ReplicaSet]):
    """apps/v1 Deployment."""

    name = "deployment-controller"
    component = "deployment-controller"
    owner_type = Deployment
    dependent_type = ReplicaSet
    settings = DeploymentConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = self.watch(Pod, self._pod_changed)
        index_by_controller(self._pods)
        self._set_api = context.client.of(ReplicaSet)

    def selects(self, owner: Deployment, labels: Mapping[str, str]) -> bool:
        """By the set-based selector."""
        return matches(owner.spec.selector, labels)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterable[str]:
        """A Recreate strategy proceeds when the last old pod is gone. Figures come from the ReplicaSets."""
        if new is not None or old is None:
            return ()
        rs = resolve(controller_of(old), "ReplicaSet", old.metadata.namespace, self.dependents)
        owner = self.owner_of(rs) if rs else None
        recreates = owner is not None and owner.spec.strategy.type == "Recreate"
        return (key_of(owner),) if owner is not None and recreates else ()

    async def reconcile(self, key: str) -> float | None:
        """One pass, one step."""
        deployment = self.owners.get(key)
        if deployment is None:
            return None
        if is_empty(deployment.spec.selector):
            await self._refuse(deployment)
            return None
        sets = await self.claimed(deployment)
        rollout = Rollout(deployment, deployment.status, revisions.find_new(deployment, sets))
        rollout.olds = [rs for rs in sets if rs is not rollout.new]
        if deployment.metadata.deletion_timestamp:
            return await self._write(rollout, status.figures(deployment, sets, rollout.new, self.context.clock.now()))
        self._set_conditions(rollout, status.pause_conditions(deployment, self.context.clock.now()))
        if deployment.spec.paused or scaling.is_scaling(deployment, sets):
            return await self._scale(rollout)
        if deployment.spec.strategy.type == "Recreate":
            return await self._recreate(rollout)
        return await self._roll(rollout)

    async def _refuse(self, deployment: Deployment) -> None:
        """Refuse a Deployment that selects all pods of its namespace: it would adopt those of others."""
        text = "This deployment is selecting all pods. A non-empty selector is required."
        self.context.recorder.event(deployment, "Warning", "SelectingAll", text)
        seen = replace(deployment.status, observed_generation=deployment.metadata.generation)
        await self._write(Rollout(deployment, deployment.status, None), seen)

    async def _scale(self, rollout: Rollout) -> float | None:
        """The size changed, or the Deployment is paused: scale, without a roll-out."""
        await self._revise(rollout, create=False)
        await self._resize(rollout, scaling.scale_step(rollout.deployment, rollout.new, rollout.olds))
        if rollout.deployment.spec.paused:
            await self._clean_up(rollout)
        now = self.context.clock.now()
        return await self._write(rollout, status.figures(rollout.deployment, rollout.sets, rollout.new, now))

    async def _roll(self, rollout: Rollout) -> float | None:
        if not await self._revise(rollout, create=True) or rollout.new is None:
            return 0
        steps = scaling.rolling_step(rollout.deployment, rollout.new, rollout.olds)
        return await self._finish(rollout, steps)

    async def _recreate(self, rollout: Rollout) -> float | None:
        await self._revise(rollout, create=False)
        pods = [pod for rs in rollout.olds for pod in self._pods.by_index(BY_CONTROLLER, rs.metadata.uid)]
        steps, ready = scaling.recreate_step(rollout.deployment, rollout.new, rollout.olds, pods)
        if ready and rollout.new is None:
            if not await self._revise(rollout, create=True):
                return 0
            steps, _ = scaling.recreate_step(rollout.deployment, rollout.new, rollout.olds, pods)
        return await self._finish(rollout, steps)

    async def _finish(self, rollout: Rollout, steps: Sequence[Resize]) -> float | None:
        await self._resize(rollout, steps)
        now = self.context.clock.now()
        result = status.rollout_status(rollout.deployment, rollout.sets, rollout.new, now)
        if not steps and status.is_complete(rollout.deployment, result):
            await self._clean_up(rollout)
        return await self._write(rollout, result)

    def _set_conditions(self, rollout: Rollout, conditions: status.Conditions) -> None:
        working = replace(rollout.deployment.status, conditions=conditions)
        rollout.deployment = replace(rollout.deployment, status=working)

    async def _revise(self, rollout: Rollout, *, create: bool) -> bool:
        """Make sure that the new ReplicaSet (if there is to be one) exists and has its revision. False: another object
        has its name, and the next pass will try another name."""
        revision = revisions.next_number(rollout.olds)
        if rollout.new is None:
            if not create:
                return True
            if not await self._create_new(rollout, revision):
                return False
        else:
            await self._update_new(rollout, rollout.new, revision)
        await self._copy_revision(rollout)
        return True

    async def _update_new(self, rollout: Rollout, present: ReplicaSet, revision: int) -> None:
        deployment = rollout.deployment
        renewed = revisions.annotated(present, deployment, revision)
        if renewed.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
            renewed = replace(renewed, spec=replace(renewed.spec, min_ready_seconds=deployment.spec.min_ready_seconds))
        if renewed != present:
            rollout.swap(present, await self._set_api.update(renewed))
        conditions = deployment.status.conditions
        if status.has_deadline(deployment) and status.find(conditions, "Progressing") is None:
            text = f'Found new replica set "{present.metadata.name}"'
            found = status.make("Progressing", "True", status.NEW_SET_FOUND, text, self.context.clock.now())
            self._set_conditions(rollout, status.put(conditions, found))

    async def _create_new(self, rollout: Rollout, revision: int) -> bool:
        deployment = rollout.deployment
        wanted = revisions.new_set(deployment, revision)
        first = scaling.first_size(deployment, wanted, rollout.olds)
        wanted = replace(wanted, spec=replace(wanted.spec, replicas=first))
        try:
            made = await self._set_api.create(wanted)
        except AlreadyExists:
            return await self._adopt_or_rename(rollout, wanted)
        except ApiError as error:
            if not namespace_is_going(error):
                await self._report_failure(rollout, error)
            raise
        rollout.new = made
        if first:
            text = f"Scaled up replica set {made.metadata.name} from 0 to {first}"
            self.context.recorder.event(deployment, "Normal", "ScalingReplicaSet", text)
        if status.has_deadline(deployment):
            text = f'Created new replica set "{made.metadata.name}"'
            created = status.make("Progressing", "True", status.NEW_SET_CREATED, text, self.context.clock.now())
            self._set_conditions(rollout, status.put(deployment.status.conditions, created))
        return True

    async def _adopt_or_rename(self, rollout: Rollout, wanted: ReplicaSet) -> bool:
        """The name is taken, either by our own ReplicaSet that the cache doesn't show yet, or by a hash collision."""
        deployment = rollout.deployment
        found = await self._set_api.get(wanted.metadata.name, namespace=wanted.metadata.namespace)
        if is_controlled_by(found, deployment) and revisions.same_template(
            found.spec.template, deployment.spec.template
        ):
            rollout.new = found
            return True
        collisions = (deployment.status.collision_count or 0) + 1
        log.info("deployment-controller: the name %s is taken; collision %d", wanted.metadata.name, collisions)
        await self._write(rollout, replace(deployment.status, collision_count=collisions))
        return False

    async def _report_failure(self, rollout: Rollout, error: ApiError) -> None:
        deployment = rollout.deployment
        text = f"Failed to create new replica set: {error}"
        self.context.recorder.event(deployment, "Warning", status.CREATE_ERROR, text)
        failed = status.make("Progressing", "False", status.CREATE_ERROR, str(error), self.context.clock.now())
        conditions = status.put(deployment.status.conditions, failed)
        await self._write(rollout, replace(deployment.status, conditions=conditions))

    async def _copy_revision(self, rollout: Rollout) -> None:
        """Copy the revision of the new ReplicaSet to the Deployment, where kubectl reads it."""
        if rollout.new is None:
            return
        meta = rollout.deployment.metadata
        revision = rollout.new.metadata.annotations.get(revisions.REVISION, "")
        if meta.annotations.get(revisions.REVISION) == revision:
            return
        patch = {"resourceVersion": meta.resource_version, "annotations": {revisions.REVISION: revision}}
        patched = await self.api.patch(meta.name, {"metadata": patch}, namespace=meta.namespace)
        rollout.deployment = replace(patched, status=rollout.deployment.status)

    async def _resize(self, rollout: Rollout, steps: Sequence[Resize]) -> None:
        deployment = rollout.deployment
        for step in steps:
            before = size(step.target)
            resized = revisions.with_sizes(step.target, deployment)
            resized = replace(resized, spec=replace(resized.spec, replicas=step.size))
            rollout.swap(step.target, await self._set_api.update(resized))
            if step.size != before:
                name = step.target.metadata.name
                direction = "up" if step.size > before else "down"
                text = f"Scaled {direction} replica set {name} from {before} to {step.size}"
                self.context.recorder.event(deployment, "Normal", "ScalingReplicaSet", text)
                log.debug("deployment-controller: %s (%s)", text, step.reason)
        if not steps and scaling.is_scaling(deployment, rollout.sets):
            await self._update_sizes(rollout)

    async def _update_sizes(self, rollout: Rollout) -> None:
        """Nothing to resize, but the annotations have the sizes for another number of replicas."""
        for rs in rollout.sets:
            noted = revisions.with_sizes(rs, rollout.deployment)
            if size(rs) and noted is not rs:
                rollout.swap(rs, await self._set_api.update(noted))

    async def _clean_up(self, rollout: Rollout) -> None:
        for rs in revisions.outdated(rollout.deployment, rollout.olds):
            try:
                await self._set_api.delete(rs.metadata.name, namespace=rs.metadata.namespace, uid=rs.metadata.uid)
            except NotFound:
                continue

    async def _write(self, rollout: Rollout, result: DeploymentStatus) -> float | None:
        deployment = rollout.deployment
        if result != rollout.stored:
            await self.api.update_status(replace(deployment, status=result))
        return status.next_look(deployment, result, self.context.clock.now())
