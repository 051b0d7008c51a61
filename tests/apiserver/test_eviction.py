"""Evictions and disruption budgets."""

import asyncio
from typing import Any

import msgspec
import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Condition, LabelSelector, ObjectMeta
from pybernetes.api.policy.pod_disruption_budget import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from pybernetes.apiserver.context import ResourceRequest
from pybernetes.apiserver.subresources import budget as rules
from pybernetes.apiserver.subresources.eviction import EvictionSubresource
from pybernetes.apiserver.types import User

from .conftest import Api
from .objects import PODS, pod
from .test_deleting import MERGE
from .test_protobuf import PROTOBUF, body, field

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
LABELS = {"app": "web"}
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
SPEC = {"minAvailable": 2, "selector": {"matchLabels": LABELS}}


async def running(api: Api, name: str = "web", *, ready: bool = True, phase: str = "Running", **meta: Any) -> dict:
    made = pod(name, **{"labels": LABELS, **meta})
    made["spec"]["nodeName"] = "n1"
    created = await api.json("POST", PODS, made, status=201)
    created["status"] = {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return await api.json("PUT", f"{PODS}/{name}/status", created)


async def budget(api: Api, name: str = "web", spec: dict | None = None, **status: Any) -> dict:
    meta = {"name": name, "namespace": "default"}
    made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec or SPEC}
    created = await api.json("POST", BUDGETS, made, status=201)
    assert created["metadata"]["generation"] == 1
    created["status"] = {
        "currentHealthy": 2,
        "desiredHealthy": 2,
        "disruptionsAllowed": 0,
        "expectedPods": 2,
        "observedGeneration": 1,
        **status,
    }
    return await api.json("PUT", f"{BUDGETS}/{name}/status", created)


def eviction(name: str = "web", version: str = "v1", **options: Any) -> dict:
    made = {"apiVersion": f"policy/{version}", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    return {**made, "deleteOptions": options} if options else made


async def evict(api: Api, name: str = "web", *, status: int = 201, query: str = "", **options: Any) -> dict:
    return await api.json("POST", f"{PODS}/{name}/eviction{query}", eviction(name, **options), status=status)


async def is_going(api: Api, name: str = "web") -> bool:
    return "deletionTimestamp" in (await api.json("GET", f"{PODS}/{name}"))["metadata"]


async def allowed(api: Api, name: str = "web") -> int:
    found: int = (await api.json("GET", f"{BUDGETS}/{name}"))["status"]["disruptionsAllowed"]
    return found


async def test_a_pod_without_budget_is_evicted_with_a_condition(api: Api) -> None:
    await running(api)
    assert (await evict(api))["status"] == "Success"
    gone = await api.json("GET", f"{PODS}/web")
    assert gone["metadata"]["deletionTimestamp"]
    target = next(c for c in gone["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"], target["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    await evict(api, "none", status=404)


async def test_an_exhausted_budget_refuses_with_kube_apiservers_message(api: Api) -> None:
    await running(api)
    await budget(api)
    refused = await evict(api, status=429)
    assert (refused["reason"], refused["message"]) == ("TooManyRequests", VIOLATES)
    text = "The disruption budget web needs 2 healthy pods and has 2 currently"
    assert refused["details"]["causes"] == [{"reason": "DisruptionBudget", "message": text}]
    assert "retryAfterSeconds" not in refused["details"]
    assert not await is_going(api)
    pods = await api.json("GET", f"{PODS}/web")
    assert all(c["type"] != "DisruptionTarget" for c in pods["status"]["conditions"])


async def test_each_eviction_decrements_the_budget(api: Api) -> None:
    for name in ("a", "b", "c"):
        await running(api, name)
    await budget(api, disruptionsAllowed=2, currentHealthy=4)
    await evict(api, "a")
    status = (await api.json("GET", f"{BUDGETS}/web"))["status"]
    assert status["disruptionsAllowed"] == 1 and list(status["disruptedPods"]) == ["a"]
    assert "conditions" not in status
    await evict(api, "b")
    status = (await api.json("GET", f"{BUDGETS}/web"))["status"]
    assert sorted(status["disruptedPods"]) == ["a", "b"] and status["disruptionsAllowed"] == 0
    condition = status["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "False",
        "InsufficientPods",
    )
    await evict(api, "c", status=429)


async def test_of_many_concurrent_evictions_only_the_allowed_number_succeeds(api: Api) -> None:
    names = [f"p{i}" for i in range(8)]
    for name in names:
        await running(api, name)
    await budget(api, disruptionsAllowed=3, currentHealthy=8)
    answers = await asyncio.gather(*(api("POST", f"{PODS}/{n}/eviction", eviction(n)) for n in names))
    went = sorted(n for n, answer in zip(names, answers, strict=True) if answer.status == 201)
    assert len(went) == 3 and {a.status for a in answers} == {201, 429}
    assert [n for n in names if await is_going(api, n)] == went
    assert await allowed(api) == 0


async def test_a_pod_with_two_budgets_can_not_be_evicted(api: Api) -> None:
    await running(api)
    for name in ("one", "two"):
        await budget(api, name, disruptionsAllowed=1)
    refused = await evict(api, status=500)
    assert refused["message"] == rules.SEVERAL and refused["code"] == 500
    assert not await is_going(api)


@pytest.mark.parametrize(
    ("state", "spec", "status", "code"),
    [
        ({"phase": "Pending", "ready": False}, {}, {}, 201),
        ({"phase": "Succeeded"}, {}, {}, 201),
        ({"phase": "Failed"}, {}, {}, 201),
        ({"ready": False}, {}, {}, 201),
        ({"ready": False}, {}, {"currentHealthy": 1}, 429),
        ({"ready": False}, {}, {"desiredHealthy": 0}, 429),
        ({"ready": False}, {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}, {"currentHealthy": 1}, 429),
        ({"ready": False}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {"currentHealthy": 0}, 201),
        ({"ready": True}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {}, 429),
        ({"labels": {}}, {"selector": {}}, {}, 201),
        ({"labels": {"app": "other"}}, {}, {}, 201),
        ({}, {"selector": None}, {}, 201),
        ({}, {"selector": {}}, {}, 429),
    ],
)
async def test_which_pods_a_budget_protects(api: Api, state: dict, spec: dict, status: dict, code: int) -> None:
    await running(api, **state)
    await budget(api, spec={**SPEC, **spec}, **status)
    await evict(api, status=code)
    gone = await api("GET", f"{PODS}/web")
    assert (gone.status == 404 or await is_going(api)) is (code == 201)
    assert await allowed(api) == 0


async def test_a_pod_that_is_being_deleted_is_evicted_again(api: Api) -> None:
    await running(api)
    await api.json("DELETE", f"{PODS}/web")
    await budget(api)
    await evict(api, gracePeriodSeconds=1)
    assert (await api.json("GET", f"{PODS}/web"))["metadata"]["deletionGracePeriodSeconds"] == 1


async def test_a_budget_that_the_controller_has_not_seen(api: Api) -> None:
    await running(api)
    await budget(api, disruptionsAllowed=1, observedGeneration=0)
    answer = await api("POST", f"{PODS}/web/eviction", eviction())
    assert (answer.status, answer.headers["retry-after"]) == (429, "10")
    assert b"The disruption budget web is still being processed by the server." in answer.body


async def test_dry_runs_change_nothing(api: Api) -> None:
    await running(api)
    before = await api.json("GET", f"{PODS}/web")
    await budget(api, disruptionsAllowed=1)
    await evict(api, query="?dryRun=All")
    await evict(api, dryRun=["All"])
    assert await api.json("GET", f"{PODS}/web") == before
    assert await allowed(api) == 1
    await evict(api, dryRun=["Maybe"], status=422)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"preconditions": {"uid": "0"}}, 409),
        ({"preconditions": {"resourceVersion": "1"}}, 409),
        ({"propagationPolicy": "Sideways"}, 422),
        ({"gracePeriodSeconds": "x"}, 400),
    ],
)
@pytest.mark.parametrize("ready", [True, False])
async def test_delete_options_apply(api: Api, options: dict, code: int, ready: bool) -> None:
    await running(api, ready=ready)
    await evict(api, status=code, **options)
    assert not await is_going(api)


async def test_preconditions_that_hold(api: Api) -> None:
    made = (await running(api))["metadata"]
    right = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    await evict(api, preconditions=right, gracePeriodSeconds=3)
    assert (await api.json("GET", f"{PODS}/web"))["metadata"]["deletionGracePeriodSeconds"] == 3


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (eviction("other"), 400),
        ({**eviction(), "metadata": {"name": "web", "namespace": "elsewhere"}}, 400),
        (eviction(version="v1beta2"), 400),
        ({**eviction(), "kind": "Pod"}, 400),
        (b"", 400),
        (b"{", 400),
        ([], 400),
        (eviction(version="v1beta1"), 201),
        ({"metadata": {"name": "web"}}, 201),
    ],
)
async def test_bodies(api: Api, sent: object, code: int) -> None:
    await running(api)
    await api.json("POST", f"{PODS}/web/eviction", sent, status=code)
    assert await is_going(api) is (code == 201)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_bodies_in_protobuf(api: Api, version: str) -> None:
    await running(api)
    sent = body(f"policy/{version}", "Eviction", field(1, field(1, "web")) + field(2, field(1, 7)))
    await api.json("POST", f"{PODS}/web/eviction", sent, status=201, content_type=PROTOBUF)
    assert (await api.json("GET", f"{PODS}/web"))["metadata"]["deletionGracePeriodSeconds"] == 7


async def test_budgets_in_protobuf(api: Api) -> None:
    selector = field(2, field(1, field(1, "app") + field(2, "web")))
    limits = field(3, field(1, 1) + field(3, "30%")) + field(4, "AlwaysAllow")
    sent = body("policy/v1", "PodDisruptionBudget", field(1, field(1, "web")) + field(2, selector + limits))
    made = await api.json("POST", BUDGETS, sent, status=201, content_type=PROTOBUF)
    assert made["spec"] == {
        "maxUnavailable": "30%",
        "selector": {"matchLabels": LABELS},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


async def test_a_refused_eviction_does_not_set_the_condition(api: Api) -> None:
    """The kubelet of another node is refused before anything is written."""
    before = await running(api)
    other_node = User("system:node:n2", ("system:nodes", "system:masters"))
    answer = await api("POST", f"{PODS}/web/eviction", eviction(), user=other_node)
    assert answer.status == 403 and b"n2" in answer.body
    assert await api.json("GET", f"{PODS}/web") == before
    own = User("system:node:n1", ("system:nodes", "system:masters"))
    assert (await api("POST", f"{PODS}/web/eviction", eviction(), user=own)).status == 201


@pytest.mark.parametrize(
    ("looks", "phase", "options", "code"),
    [
        (99, "Running", {}, 429),
        (99, "Running", {"preconditions": {"resourceVersion": "1"}}, 409),
        (99, "Pending", {}, 409),
        (3, "Pending", {}, 201),
    ],
)
async def test_a_pod_that_changes_meanwhile(
    api: Api, monkeypatch: pytest.MonkeyPatch, looks: int, phase: str, options: dict, code: int
) -> None:
    """An unready pod costs nothing only as long as it is unready: `looks` readings are out of date."""
    seen = msgspec.json.decode(msgspec.json.encode(await running(api, ready=False, phase=phase)), type=Pod)
    await budget(api)
    await api.json("PATCH", f"{PODS}/web", {"metadata": {"labels": {"x": "y"}}}, content_type=MERGE)
    fresh = EvictionSubresource._pod
    left = iter(range(looks))

    async def outdated(self: EvictionSubresource, request: ResourceRequest) -> Pod:
        return seen if next(left, None) is not None else await fresh(self, request)

    monkeypatch.setattr(EvictionSubresource, "_pod", outdated)
    answer = await evict(api, status=code, **options)
    if code == 429:
        assert "is still being processed by the server" in answer["details"]["causes"][0]["message"]
    gone = await api("GET", f"{PODS}/web")
    assert (gone.status == 404 or await is_going(api)) is (code == 201)


def made(message: str = "", reason: str = "InsufficientPods", **status: Any) -> PodDisruptionBudget:
    condition = Condition(type="DisruptionAllowed", status="False", reason=reason, message=message)
    return PodDisruptionBudget(
        metadata=ObjectMeta(name="b", generation=1),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(match_labels=LABELS)),
        status=PodDisruptionBudgetStatus(observed_generation=1, conditions=[condition], **status),
    )


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (made(disruptions_allowed=1), 0, ""),
        (made(desired_healthy=3, current_healthy=2), 429, "needs 3 healthy pods and has 2 currently"),
        (made(current_healthy=1), 429, "The disruption budget b does not allow evicting pods currently"),
        (made("why", current_healthy=1), 429, "does not allow evicting pods currently (InsufficientPods): why"),
        (made("why", "SyncFailed", desired_healthy=1), 429, "currently because it failed sync: why"),
        (made(disruptions_allowed=-1), 403, "pdb disruptions allowed is negative"),
        (
            made(disruptions_allowed=1, disrupted_pods={str(i): "" for i in range(2001)}),
            403,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ),
    ],
)
def test_refusals(given: PodDisruptionBudget, code: int, words: str) -> None:
    error = rules.refusal(given)
    assert (error.code if error else 0) == code
    if error is not None:
        causes = error.status.details.causes if error.status.details else []
        assert words in (causes[0].message if causes else str(error))


def test_an_invalid_selector_selects_nothing() -> None:
    given = made()
    given.spec.selector = LabelSelector(match_labels={"a b": "c"})
    assert not rules.selects(given, Pod(metadata=ObjectMeta(labels=LABELS)))
