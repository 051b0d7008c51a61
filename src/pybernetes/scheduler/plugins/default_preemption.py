"""DefaultPreemption: removes pods of lower priority to make room for a pod that no node can take.

Victims are deleted gracefully, with the condition DisruptionTarget, which tells their owners why. The pod that they
make room for is nominated for the node and is scheduled again when they are gone.
"""

import logging
from functools import partial

from pybernetes.api import time as times
from pybernetes.api.core.pod import Pod
from pybernetes.api.field import Errors, Path
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.failure import NEVER, VICTIMS_LEAVING, FitFailure
from pybernetes.scheduler.handle import Handle
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.preemption import Candidate, preempt
from pybernetes.scheduler.snapshot import Placed
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.writer import patch_status

log = logging.getLogger(__name__)


class DefaultPreemptionArgs(Args, frozen=True, kw_only=True):
    """Arguments of DefaultPreemption: how many candidate nodes are enough to choose from."""

    min_candidate_nodes_percentage: int = 10
    """In percent of the cluster's nodes."""
    min_candidate_nodes_absolute: int = 100
    """As a number of nodes; the larger of the two counts."""

    def validate(self, path: Path, errors: Errors) -> None:
        percentage, absolute = self.min_candidate_nodes_percentage, self.min_candidate_nodes_absolute
        if not 0 <= percentage <= 100:
            errors.invalid(path / "minCandidateNodesPercentage", percentage, "not in valid range [0, 100]")
        if absolute < 0:
            errors.invalid(path / "minCandidateNodesAbsolute", absolute, "not in valid range [0, inf)")
        if not percentage and not absolute:
            text = "cannot be zero at the same time as "
            errors.invalid(path / "minCandidateNodesPercentage", 0, text + "minCandidateNodesAbsolute")
            errors.invalid(path / "minCandidateNodesAbsolute", 0, text + "minCandidateNodesPercentage")


def default_preemption(args: DefaultPreemptionArgs, objects: Objects) -> Plugin:
    """Takes part after all nodes were refused. The plugins that refused them know which events help."""
    return Plugin(post_filter=_DefaultPreemption(args))


class _DefaultPreemption:
    def __init__(self, args: DefaultPreemptionArgs) -> None:
        self._args = args
        self._leaving: set[str] = set()
        """Uids of victims whose deletion has been requested and not been observed yet."""

    def __call__(self, handle: Handle, pod: Pod, template: Template, failure: FitFailure) -> str:
        if not template.preempts:
            return NEVER
        if self._waits_for_victims(handle, pod, template):
            return VICTIMS_LEAVING
        end = handle.clock.monotonic() + handle.slice_seconds
        wanted = self._wanted_candidates(failure.nodes)

        def enough(found: int) -> bool:
            return found >= wanted or handle.clock.monotonic() >= end

        offset = handle.rng.randrange(len(failure.resolvable_rows)) if failure.resolvable_rows else 0
        result = preempt(handle.snapshot, handle.filters, template, failure, enough, offset)
        if result.candidate is None:
            handle.nominations.remove(pod.metadata.uid)
            return failure.preemption_text(reasons=result.reasons, tried=result.tried)
        self._make_room(handle, pod, template, result.candidate)
        return ""

    def _wanted_candidates(self, nodes: int) -> int:
        percentage = nodes * self._args.min_candidate_nodes_percentage // 100
        return min(max(percentage, self._args.min_candidate_nodes_absolute, 1), nodes)

    def _waits_for_victims(self, handle: Handle, pod: Pod, template: Template) -> bool:
        """Whether pods of lower priority are about to leave the node that the pod is nominated for."""
        self._leaving &= handle.snapshot.placed.keys()
        name = handle.nominations.node_of(pod.metadata.uid)
        return any(
            (placed.terminating or uid in self._leaving) and placed.template.priority < template.priority
            for uid, placed in handle.snapshot.on_node.get(name, {}).items()
        )

    def _make_room(self, handle: Handle, pod: Pod, template: Template, candidate: Candidate) -> None:
        for nomination in handle.nominations.behind(candidate.node_name, template.priority):
            handle.nominations.remove(nomination.pod.metadata.uid)
            handle.submit(partial(_clear_nomination, handle, nomination.pod))
        handle.nominations.put(pod, template, candidate.node_name)
        for victim in candidate.victims:
            self._leaving.add(victim.pod.metadata.uid)
            handle.submit(partial(self._evict, handle, pod, victim))

    async def _evict(self, handle: Handle, preemptor: Pod, victim: Placed) -> None:
        pod, meta = victim.pod, victim.pod.metadata
        try:
            await patch_status(handle.client, pod, _disruption(handle, pod))
            await handle.client.of(Pod).delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return
        except (ApiError, Unreachable) as error:
            log.warning("pod %s/%s could not be preempted: %s", meta.namespace, meta.name, error)
            self._leaving.discard(meta.uid)
            return
        text = f"Preempted by pod {preemptor.metadata.uid} on node {victim.node_name}"
        handle.recorder.event(pod, "Normal", "Preempted", text)


async def _clear_nomination(handle: Handle, pod: Pod) -> None:
    patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"nominatedNodeName": None}}
    try:
        await patch_status(handle.client, pod, patch)
    except (ApiError, Unreachable) as error:
        log.debug("nomination of pod %s/%s not cleared: %s", pod.metadata.namespace, pod.metadata.name, error)


def _disruption(handle: Handle, pod: Pod) -> dict[str, object]:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": f"{handle.scheduler_name}: preempting to accommodate a higher priority pod",
        "lastTransitionTime": times.seconds(handle.clock.now()),
    }
    return {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}}
