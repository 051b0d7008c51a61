"""An admission plugin from outside: what it is called for, sees and may do (docs/extending/admission-plugin.md)."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pybernetes.apiserver import errors
from pybernetes.apiserver.admission.plugin import Base, Interest, wants
from pybernetes.apiserver.admission.request import AdmissionRequest
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.server import ApiServer, build_server
from pybernetes.store.sqlite import SqliteStore

from .conftest import Api, CertificateUsers, MastersOnly
from .objects import CMS, PODS, config_map, pod

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@dataclass
class Recorder(Base):
    """Keeps what it was asked."""

    name: str = "Recorder"
    interest: Interest = field(default_factory=wants)
    seen: list[AdmissionRequest] = field(default_factory=list)

    async def admit(self, request: AdmissionRequest) -> None:
        self.seen.append(request)

    def of(self, resource: str) -> list[AdmissionRequest]:
        return [request for request in self.seen if request.resource == resource]


class Limit(Base):
    """At most `most` config maps, counted in memory: a small quota."""

    name = "Limit"
    interest = wants("CREATE", "DELETE", resources=["configmaps"])

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    async def validate(self, request: AdmissionRequest) -> None:
        if request.operation == "DELETE":
            request.reserved.on_keep.append(self._release)
            return
        if self.used >= self.most:
            raise errors.forbidden_kind(request.kind, request.name, "exceeded quota")
        self.used += 1
        request.reserved.on_undo.append(self._release)
        await asyncio.sleep(0)

    def _release(self) -> None:
        self.used -= 1


class Refuse(Base):
    """Refuses what is labelled `refuse`, after Limit has reserved."""

    name = "Refuse"
    interest = wants("CREATE", resources=["configmaps"])

    async def validate(self, request: AdmissionRequest) -> None:
        if "refuse" in request.obj.metadata.labels:
            raise errors.forbidden_kind(request.kind, request.name, "it says so itself")


class Late(Base):
    """Adds a container to pods, and asks for another round, in which earlier plugins see it."""

    name = "Late"
    interest = wants("CREATE", resources=["pods"])

    async def admit(self, request: AdmissionRequest) -> None:
        containers = request.obj.spec.containers
        if len(containers) == 1:
            extra = request.kind.schema.copy(request.obj).spec.containers[0]
            extra.name = "sidecar"
            extra.volume_mounts = []
            request.obj.spec.containers = [*containers, extra]
            request.wants_reinvocation = True


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def limit() -> Limit:
    return Limit(3)


@pytest.fixture
async def server(
    store: SqliteStore, config: ServerConfig, recorder: Recorder, limit: Limit
) -> AsyncIterator[ApiServer]:
    more = (recorder, limit, Refuse(), Late())
    made = build_server(config, store, CertificateUsers(), MastersOnly(), rng=random.Random(1), more_plugins=more)
    await made.start()
    limit.used = 0  # what the server made at its start does not count
    await Api(made).json(
        "POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}}, status=201
    )
    yield made
    await made.close()


def deployment() -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod()["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


async def test_a_request_tells_all_that_an_admission_review_needs(api: Api, recorder: Recorder) -> None:
    await api.json("POST", f"{CMS}?fieldManager=me&dryRun=All&fieldValidation=Strict", config_map(), status=201)
    (create,) = recorder.of("configmaps")
    assert (create.operation, create.namespace, create.name, create.dry_run) == ("CREATE", "default", "cm", True)
    assert create.user.name == "admin"
    assert create.uid
    assert create.request_kind == ("", "v1", "ConfigMap")
    assert create.request_resource == ("", "v1", "configmaps")
    options: Any = create.options
    assert (options.kind, options.field_manager, options.dry_run) == ("CreateOptions", "me", ["All"])
    assert options.field_validation == "Strict"


async def test_every_verb_has_its_options(api: Api, recorder: Recorder) -> None:
    made = await api.json("POST", CMS, config_map(), status=201)
    await api.json("PUT", f"{CMS}/cm", made)
    await api.json("PATCH", f"{CMS}/cm", {"data": {"b": "2"}}, content_type="application/merge-patch+json")
    await api.json("DELETE", f"{CMS}/cm", {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    found: Any = recorder.of("configmaps")
    assert [r.options.kind for r in found] == ["CreateOptions", "UpdateOptions", "PatchOptions", "DeleteOptions"]
    assert [r.operation for r in found] == ["CREATE", "UPDATE", "UPDATE", "DELETE"]
    assert found[3].obj is None and found[3].old.data == {"a": "1", "b": "2"}
    assert len({r.uid for r in found}) == 4


async def test_an_event_is_asked_for_in_the_version_it_was_sent_in(api: Api, recorder: Recorder) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "i",
        "action": "A",
        "reason": "R",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "x"},
    }
    await api.json("POST", "/apis/events.k8s.io/v1/namespaces/default/events", event, status=201)
    assert recorder.seen[-1].request_kind == ("events.k8s.io", "v1", "Event")


async def test_subresources_are_admitted_with_their_own_bodies(api: Api, recorder: Recorder) -> None:
    await api.json("POST", DEPLOYMENTS, deployment(), status=201)
    scale = await api.json("GET", f"{DEPLOYMENTS}/web/scale")
    scale["spec"]["replicas"] = 5
    await api.json("PUT", f"{DEPLOYMENTS}/web/scale", scale)
    (found,) = recorder.of("deployments.apps/scale")
    assert found.request_kind == ("autoscaling", "v1", "Scale")
    assert (found.obj.spec.replicas, found.old.spec.replicas) == (5, 1)

    await api.json("POST", PODS, pod(), status=201)
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": {"name": "n1"}}
    await api.json("POST", f"{PODS}/web/binding", binding, status=201)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
    await api.json("POST", f"{PODS}/web/eviction", eviction, status=201)
    assert [(r.operation, r.request_kind.kind) for r in recorder.of("pods/binding")] == [("CREATE", "Binding")]
    assert [(r.operation, r.request_kind.kind) for r in recorder.of("pods/eviction")] == [("CREATE", "Eviction")]


async def test_a_plugin_may_change_a_scale(api: Api, server: ApiServer, recorder: Recorder) -> None:
    async def double(request: AdmissionRequest) -> None:
        if request.resource == "deployments.apps/scale":
            request.obj.spec.replicas *= 2

    recorder.admit = double  # type: ignore[method-assign]
    await api.json("POST", DEPLOYMENTS, deployment(), status=201)
    patch = {"spec": {"replicas": 3}}
    await api.json("PATCH", f"{DEPLOYMENTS}/web/scale", patch, content_type="application/merge-patch+json")
    assert (await api.json("GET", f"{DEPLOYMENTS}/web"))["spec"]["replicas"] == 6


@pytest.mark.parametrize(
    ("path", "kind", "options"),
    [
        (
            "exec?command=ls&command=-l&stdin=true&container=c",
            "PodExecOptions",
            {"command": ["ls", "-l"], "stdin": True},
        ),
        ("attach?tty=true", "PodAttachOptions", {"tty": True}),
        ("portforward?ports=80&ports=81", "PodPortForwardOptions", {"ports": [80, 81]}),
        ("proxy/a/b", "PodProxyOptions", {"path": "/a/b"}),
    ],
)
async def test_connections_are_admitted(
    api: Api, recorder: Recorder, path: str, kind: str, options: dict[str, Any]
) -> None:
    await api.json("POST", PODS, pod(), status=201)
    await api("GET", f"{PODS}/web/{path}")  # the pod has no node: the answer is an error, after admission
    (found,) = [request for request in recorder.seen if request.operation == "CONNECT"]
    assert (found.name, found.request_kind) == ("web", ("", "v1", kind))
    assert {name: getattr(found.obj, name) for name in options} == options


async def test_a_refused_connection_is_not_made(api: Api, recorder: Recorder) -> None:
    async def refuse(request: AdmissionRequest) -> None:
        if request.operation == "CONNECT":
            raise errors.forbidden_kind(request.kind, request.name, "no shells here")

    recorder.admit = refuse  # type: ignore[method-assign]
    await api.json("POST", PODS, pod(), status=201)
    status = await api.json("GET", f"{PODS}/web/exec?command=sh", status=403)
    assert status["message"] == 'pods "web" is forbidden: no shells here'


async def test_a_plugin_is_called_for_what_it_wants_alone(api: Api, recorder: Recorder) -> None:
    assert wants("CREATE", resources=["pods/*"]).covers("CREATE", "pods/exec")
    assert not wants("CREATE", resources=["pods/*"]).covers("CREATE", "pods")
    assert not wants("CREATE").covers("UPDATE", "pods")
    assert wants().covers("CONNECT", "nodes/proxy")


async def test_what_a_plugin_reserved_is_released_when_the_write_fails(api: Api, limit: Limit) -> None:
    await api.json("POST", CMS, config_map("refused", labels={"refuse": ""}), status=403)
    await api.json("POST", f"{CMS}?dryRun=All", config_map("rehearsal"), status=201)
    assert limit.used == 0
    await api.json("POST", CMS, config_map("kept"), status=201)
    await api.json("POST", CMS, config_map("kept"), status=409)
    assert limit.used == 1
    await api.json("DELETE", f"{CMS}/kept?dryRun=All")
    assert limit.used == 1
    await api.json("DELETE", f"{CMS}/kept")
    assert limit.used == 0


async def test_many_who_race_for_the_last_place(api: Api, limit: Limit) -> None:
    answers = await asyncio.gather(*(api("POST", CMS, config_map(f"c{n}")) for n in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [403] * 17
    assert limit.used == 3


async def test_a_client_that_goes_away_leaves_nothing_reserved(api: Api, limit: Limit) -> None:
    writes = [asyncio.create_task(api("POST", CMS, config_map(f"c{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    for write in writes:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    items = (await api.json("GET", CMS))["items"]
    for _ in range(100):
        items = (await api.json("GET", CMS))["items"]
        if limit.used == len(items):
            break
        await asyncio.sleep(0.01)
    assert limit.used == len(items)


async def test_another_round_sees_what_later_plugins_added(api: Api, recorder: Recorder) -> None:
    spec = (await api.json("POST", PODS, pod(), status=201))["spec"]
    assert [container["name"] for container in spec["containers"]] == ["c", "sidecar"]
    assert [len(container["volumeMounts"]) for container in spec["containers"]] == [1, 1]
    assert len(spec["volumes"]) == 1
    assert [request.reinvocation for request in recorder.of("pods")] == [True, True]


async def test_what_admission_adds_belongs_to_no_manager(api: Api) -> None:
    made = await api.json("POST", f"{PODS}?fieldManager=kubectl-client-side-apply", pod(), status=201)
    (entry,) = made["metadata"]["managedFields"]
    owned = entry["fieldsV1"]["f:spec"]
    assert "f:tolerations" not in owned and "f:volumes" not in owned and "f:serviceAccountName" not in owned
    applied = await api.json(
        "PATCH",
        f"{PODS}/web?fieldManager=kubectl",
        pod(),
        content_type="application/apply-patch+yaml",
    )
    assert applied["spec"]["volumes"] == made["spec"]["volumes"]
