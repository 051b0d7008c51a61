"""eviction: deletes a pod if its disruption budget allows it.

    budgets of the pod: none, or one that is decremented -> condition DisruptionTarget -> deletion

The budget is updated with its resourceVersion as precondition: of two evictions that race for the last allowed
disruption, one is refused. A pod that needs no budget is deleted with its resourceVersion as precondition.
"""

import dataclasses
from typing import Any

from msgspec.structs import replace

from pybernetes.api.core.pod import Pod, PodCondition
from pybernetes.api.meta import DeleteOptions, Preconditions, Status
from pybernetes.api.policy.eviction import KIND, Eviction
from pybernetes.api.policy.pod_disruption_budget import KIND as BUDGET
from pybernetes.api.policy.pod_disruption_budget import PodDisruptionBudget
from pybernetes.api.subresource import Subresource, status
from pybernetes.apiserver import codec, errors, metadata, options, reading, rendering
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.deleting import Deleter
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.replacing import write_options
from pybernetes.apiserver.subresources import budget as rules
from pybernetes.apiserver.types import SERVER
from pybernetes.apiserver.writing import Writer
from pybernetes.client.errors import ApiError, Conflict
from pybernetes.client.transport import Response

#: The server itself writes budgets and conditions, not the user who evicts.
_MANAGER = "kube-apiserver"
_RETRIES = 10
#: What the server itself writes needs no validation.
_STATUS: Subresource[Any] = status()
_V1BETA1 = dataclasses.replace(KIND, version="v1beta1")


class EvictionSubresource:
    """POST to pods/<name>/eviction."""

    def __init__(self, context: ServerContext, writer: Writer, deleter: Deleter) -> None:
        self._context = context
        self._writer = writer
        self._deleter = deleter

    async def create(self, request: ResourceRequest) -> Response:
        """Delete the pod. Raises NotFound, Conflict, Forbidden, and TooManyRequests when a budget forbids it."""
        eviction = _eviction(request)
        requested = _delete_options(request, eviction)
        await self._context.store.read_barrier()
        reading.find(self._context, request)
        await self._writer.admit(request, eviction, options=write_options(request, "CreateOptions"))
        if not await self._evict_unprotected(request, requested):
            await self._evict_protected(request, requested)
        return rendering.response(201, codec.encode_status(Status(status="Success", code=201)), request.form)

    async def _pod(self, request: ResourceRequest) -> Pod:
        pod: Pod = await request.resource.read(reading.find(self._context, request))
        return pod

    async def _evict_unprotected(self, request: ResourceRequest, requested: DeleteOptions) -> bool:
        """Delete a pod that no budget protects. False: the budgets must be checked."""
        for attempt in range(_RETRIES):
            pod = await self._pod(request)
            if not rules.is_unprotected(pod):
                return False
            # A pending pod can become ready in the meantime; one that has ended can't.
            pinned = requested if rules.has_ended(pod) else _pinned(requested, pod)
            try:
                await self._mark_and_delete(request, pinned)
            except Conflict:
                if _has_revision(requested) or attempt == _RETRIES - 1:
                    raise
                continue
            return True
        raise AssertionError("unreachable")

    async def _evict_protected(self, request: ResourceRequest, requested: DeleteOptions) -> None:
        pod = await self._pod(request)
        budgets = [budget for budget in await self._budgets(request.namespace) if rules.selects(budget, pod)]
        if len(budgets) > 1:
            raise errors.misconfigured(rules.SEVERAL)
        if not budgets or not rules.costs_nothing(pod, budgets[0]):
            if budgets:
                await self._spend(request, budgets[0].metadata.name, dry_run=bool(requested.dry_run))
            await self._mark_and_delete(request, requested)
            return
        try:
            await self._mark_and_delete(request, _pinned(requested, pod))
        except Conflict as error:
            if _has_revision(requested):
                raise
            raise rules.still_processing(budgets[0].metadata.name) from error

    async def _budgets(self, namespace: str) -> list[PodDisruptionBudget]:
        resource = self._context.catalogue.of(BUDGET)
        return [await resource.read(kv) for kv in self._context.store.range(resource.prefix(namespace)).items]

    async def _spend(self, request: ResourceRequest, name: str, *, dry_run: bool) -> None:
        """Decrement the budget. Raises TooManyRequests, Forbidden, and Timeout after repeated conflicts."""
        now = self._context.timestamp()

        def make(budget: PodDisruptionBudget, _: bytes) -> PodDisruptionBudget:
            refused = rules.refusal(budget)
            if refused is not None:
                raise refused
            rules.spend(budget, request.info.name, now)
            return budget

        info = dataclasses.replace(
            request.info,
            group=BUDGET.group,
            version=BUDGET.version,
            resource=BUDGET.plural,
            subresource="status",
            name=name,
        )
        resource = self._context.catalogue.of(BUDGET)
        own = dataclasses.replace(request, info=info, resource=resource, user=SERVER)
        how = WriteOptions(dry_run=dry_run, field_manager=_MANAGER)
        try:
            await self._writer.update(own, make, how, _STATUS, admitted=True)
        except Conflict as error:
            raise errors.timeout(f'couldn\'t update PodDisruptionBudget "{name}" due to conflicts', 10) from error

    async def _mark_and_delete(self, request: ResourceRequest, requested: DeleteOptions) -> None:
        if not requested.dry_run:
            revision = await self._mark(request, requested)
            if requested.preconditions is not None and _has_revision(requested):
                requested = replace(
                    requested, preconditions=replace(requested.preconditions, resource_version=revision)
                )
        await self._deleter.remove(request, request.info.name, requested, admitted=True)

    async def _mark(self, request: ResourceRequest, requested: DeleteOptions) -> str:
        """Set the condition DisruptionTarget, with the deletion's preconditions. Returns the new resourceVersion."""
        now = self._context.timestamp()

        def make(pod: Pod, _: bytes) -> Pod:
            refused = _unmet(request, pod, requested)
            if refused is not None:
                raise refused
            pod.status.conditions = _with_target(pod.status.conditions, now)
            return pod

        own = dataclasses.replace(request, user=SERVER)
        how = WriteOptions(field_manager=_MANAGER)
        written = await self._writer.update(own, make, how, _STATUS, admitted=True)
        return codec.decode(written.body, Pod).metadata.resource_version


def _eviction(request: ResourceRequest) -> Eviction:
    """The body. Bodies of policy/v1beta1, the previous version, have the same fields."""
    body = codec.json_body(request.http.body, request.content_type)
    older = codec.api_version_of(body) == _V1BETA1.api_version
    eviction: Eviction = codec.object_from(body, _V1BETA1 if older else KIND)
    if eviction.metadata.name and eviction.metadata.name != request.info.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    metadata.check_namespace(eviction.metadata, KIND, namespace=request.namespace)
    return eviction


def _delete_options(request: ResourceRequest, eviction: Eviction) -> DeleteOptions:
    """The options of the deletion."""
    requested, dry_run = eviction.delete_options or DeleteOptions(), request.all_of("dryRun")
    if dry_run and requested.dry_run and dry_run != requested.dry_run:
        shown = f"[{' '.join(dry_run)}] and [{' '.join(requested.dry_run)}]"
        raise errors.bad_request(f"Non-matching dry-run options in request and content: {shown}")
    requested.dry_run = requested.dry_run or dry_run
    options.check_delete(requested)
    return requested


def _has_revision(requested: DeleteOptions) -> bool:
    return requested.preconditions is not None and bool(requested.preconditions.resource_version)


def _pinned(requested: DeleteOptions, pod: Pod) -> DeleteOptions:
    """The options with the pod's resourceVersion as precondition, unless the client has set one."""
    if _has_revision(requested):
        return requested
    wanted = requested.preconditions or Preconditions()
    return replace(requested, preconditions=replace(wanted, resource_version=pod.metadata.resource_version))


def _unmet(request: ResourceRequest, pod: Pod, requested: DeleteOptions) -> ApiError | None:
    """The precondition that does not hold. An empty one is ignored, as in kube-apiserver."""
    wanted, meta = requested.preconditions or Preconditions(), pod.metadata
    named: Any = dataclasses.replace(request.resource.kind, plural="Pod")
    if wanted.uid and wanted.uid != meta.uid:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({meta.uid}). "
            "The object might have been deleted and then recreated"
        )
        return errors.conflict(named, meta.name, why)
    if wanted.resource_version and wanted.resource_version != meta.resource_version:
        why = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match the ResourceVersion "
            f"in record ({meta.resource_version}). The object might have been modified"
        )
        return errors.conflict(named, meta.name, why)
    return None


def _with_target(conditions: list[PodCondition], now: str) -> list[PodCondition]:
    """The conditions with DisruptionTarget, whose lastTransitionTime changes only with its status."""
    old = next((item for item in conditions if item.type == "DisruptionTarget"), None)
    same = old is not None and old.status == "True"
    target = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=old.last_transition_time if old is not None and same else now,
    )
    return [*(item for item in conditions if item is not old), target]
