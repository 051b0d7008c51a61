"""Discovery: both forms of documents, group versions that fail, changes while it runs."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Set
from typing import Any

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.catalogue import Catalogue
from pybernetes.client.client import Client
from pybernetes.client.discovery import Discovery
from pybernetes.client.errors import BadAnswer, Unreachable
from pybernetes.client.reflector import Reflector
from pybernetes.client.resource import PartialObjectMetadata
from pybernetes.client.transport import Request, Response

from .warp import warp

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def resource(plural: str, kind: str, *subresources: str, scope: str = "Namespaced") -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope,
        "verbs": ["delete", "list", "watch"],
        "subresources": [{"subresource": name, "responseKind": None} for name in subresources],
    }


def group(name: str, **versions: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A group of aggregated discovery; a version without a list is stale."""
    listed = [
        {"version": version, "resources": found, "freshness": "Stale" if found is None else "Current"}
        for version, found in versions.items()
    ]
    return {"metadata": {"name": name, "creationTimestamp": None}, "versions": listed}


class Documents:
    """A transport that serves documents by path; a `Response` is answered as it is."""

    def __init__(self, **documents: Any) -> None:
        self.documents = {"/api": documents.pop("api", None), **{f"/apis/{k}": v for k, v in documents.items()}}
        self.asked: list[str] = []
        self.watched: list[tuple[str, str]] = []
        self.events: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self.down = False

    async def request(self, request: Request) -> Response:
        self.asked.append(request.path)
        found = self.documents.get(request.path)
        if self.down:
            raise Unreachable("connection refused")
        if found is None:
            return Response(404, {}, b'{"code":404,"reason":"NotFound","message":"not found"}')
        if isinstance(found, Response):
            return found
        aggregated = "items" in found and "as=APIGroupDiscoveryList" in request.headers["accept"]
        if "items" in found and not aggregated and "metadata" not in found:
            return Response(406, {}, b'{"code":406}')
        body = json.dumps(found).encode()
        etag = str(hash(body))
        if request.headers.get("if-none-match") == etag:
            return Response(304, {}, b"")
        return Response(200, {"content-type": AGGREGATED if aggregated else "application/json", "etag": etag}, body)

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        self.watched.append((request.path, request.headers["accept"]))
        while True:
            yield await self.events.get()

    async def close(self) -> None:
        return


def names(catalogue: Catalogue) -> list[str]:
    return [str(found) for found in catalogue.preferred()]


def aggregated(*groups: dict[str, Any]) -> Documents:
    server = Documents(api={"items": [group("", v1=[resource("pods", "Pod", "log"), resource("nodes", "Node")])]})
    server.documents["/apis"] = {"items": list(groups)}
    return server


async def test_aggregated_documents() -> None:
    web = group(
        "x.io", v2=[resource("gears", "Gear")], v1=[resource("gears", "Gear"), resource("cogs", "Cog", "scale")]
    )
    catalogue = await Discovery(Client(aggregated(web))).refresh()
    assert names(catalogue) == [
        "/v1, Resource=pods",
        "/v1, Resource=nodes",
        "x.io/v2, Resource=gears",
        "x.io/v1, Resource=cogs",
    ]
    cog = catalogue.find("x.io/v1", "Cog")
    assert (
        cog is not None and cog.subresources == {"scale"} and cog.path("d", "a") == "/apis/x.io/v1/namespaces/d/cogs/a"
    )
    assert catalogue.find("x.io/v1", "Gear") != catalogue.find("x.io/v2", "Gear")
    assert catalogue.find("x.io/v3", "Gear") is None


async def test_a_stale_group_version_is_unknown_and_not_absent() -> None:
    server = aggregated(group("x.io", v2=None, v1=[resource("gears", "Gear")]))
    catalogue = await Discovery(Client(server)).refresh()
    assert names(catalogue)[-1] == "x.io/v1, Resource=gears"
    assert catalogue.failure() == (
        "unable to retrieve the complete list of server APIs: x.io/v2: stale GroupVersion discovery: x.io/v2"
    )


def plain(*versions: str) -> Documents:
    server = Documents(api={"versions": ["v1"]})
    server.documents["/apis"] = {
        "groups": [
            {
                "name": "x.io",
                "versions": [{"groupVersion": version} for version in versions],
                "preferredVersion": {"groupVersion": versions[-1]},
            }
        ]
    }
    listed = {"name": "gears", "namespaced": True, "kind": "Gear", "verbs": ["list"]}
    scale = {"name": "gears/scale", "namespaced": True, "kind": "Scale", "verbs": ["get"]}
    server.documents["/api/v1"] = {"resources": [{"name": "pods", "namespaced": True, "kind": "Pod", "verbs": None}]}
    for version in versions:
        server.documents[f"/apis/{version}"] = {"resources": [listed, scale]}
    return server


async def test_plain_documents() -> None:
    catalogue = await Discovery(Client(plain("x.io/v1", "x.io/v2"))).refresh()
    assert names(catalogue) == ["/v1, Resource=pods", "x.io/v2, Resource=gears"], "the preferred version"
    gear = catalogue.find("x.io/v1", "Gear")
    assert gear is not None and gear.subresources == {"scale"}
    assert not catalogue.failure()


async def test_a_plain_document_may_fail_alone() -> None:
    server = plain("x.io/v1", "y.io/v1")
    text = "the server is currently unable to handle the request"
    server.documents["/apis/y.io/v1"] = Response(503, {}, json.dumps({"code": 503, "message": text}).encode())
    catalogue = await Discovery(Client(server)).refresh()
    assert names(catalogue) == ["/v1, Resource=pods", "x.io/v1, Resource=gears"]
    assert catalogue.failure() == f"unable to retrieve the complete list of server APIs: y.io/v1: {text}"


async def test_if_one_document_is_plain_both_are_read_as_plain() -> None:
    server = plain("x.io/v1")
    real, core = server.request, json.dumps({"items": [group("", v1=[resource("pods", "Pod")])]}).encode()

    async def mixed(request: Request) -> Response:
        if request.path == "/api" and "as=" in request.headers["accept"]:
            return Response(200, {"content-type": AGGREGATED}, core)
        return await real(request)

    server.request = mixed  # type: ignore[method-assign]
    assert names(await Discovery(Client(server)).refresh()) == ["/v1, Resource=pods", "x.io/v1, Resource=gears"]


async def test_an_unreadable_group_version() -> None:
    catalogue = await Discovery(Client(plain("x.io/v1/more"))).refresh()
    assert catalogue.malformed == "unexpected GroupVersion string: x.io/v1/more" and not catalogue.resources


async def test_a_server_without_core_group() -> None:
    server = aggregated(group("x.io", v1=[resource("gears", "Gear")]))
    del server.documents["/api"]
    assert names(await Discovery(Client(server)).refresh()) == ["x.io/v1, Resource=gears"]


async def test_malformed_documents_are_an_error() -> None:
    server = aggregated()
    server.documents["/apis"] = Response(200, {"content-type": AGGREGATED}, b"<html>")
    with pytest.raises(BadAnswer):
        await Discovery(Client(server)).refresh()


def test_refreshes_every_30_seconds_and_reports_changes(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        server = aggregated()
        discovery = Discovery(Client(server))
        seen: list[list[str]] = []
        discovery.subscribe(lambda catalogue: seen.append(names(catalogue)[2:]))
        task = asyncio.create_task(discovery.run(), name="discovery")
        await asyncio.sleep(1)
        assert seen == [[]]
        server.documents["/apis"] = {"items": [group("x.io", v1=[resource("gears", "Gear")])]}
        await asyncio.sleep(28)
        assert seen == [[]]
        await asyncio.sleep(2)
        assert seen == [[], ["x.io/v1, Resource=gears"]]
        server.asked.clear()
        await asyncio.sleep(300)
        assert len(seen) == 2 and server.asked == ["/api", "/apis"] * 10
        server.down = True
        await asyncio.sleep(120)
        assert discovery.catalogue.find("x.io/v1", "Gear"), "an outage takes nothing away"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        warp(run())
    assert len(caplog.records) == 1, "a failure is logged once"


def test_refreshes_a_second_after_a_definition_changed() -> None:
    async def run() -> None:
        crds = resource("customresourcedefinitions", "CustomResourceDefinition", scope="Cluster")
        definitions = group("apiextensions.k8s.io", v1=[crds])
        server = aggregated(definitions)
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        server.documents[path] = {"metadata": {"resourceVersion": "5"}, "items": []}
        discovery = Discovery(Client(server))
        task = asyncio.create_task(discovery.run(), name="discovery")
        await asyncio.sleep(5)
        assert [(where, "as=PartialObjectMetadata;" in accept) for where, accept in server.watched] == [(path, True)]
        server.documents["/apis"] = {"items": [definitions, group("x.io", v1=[resource("gears", "Gear")])]}
        await server.events.put([b'{"type":"ADDED","object":{"metadata":{"name":"gears.x.io","resourceVersion":"6"}}}'])
        await asyncio.sleep(1.1)
        assert discovery.catalogue.find("x.io/v1", "Gear")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    warp(run())


async def test_our_server_and_its_plain_documents_agree(client: Client, remote: Client) -> None:
    found = await Discovery(remote).refresh()
    core = await Discovery(client).refresh()
    assert found == core
    plain_form = await Discovery(client)._read_plain()
    assert set(plain_form.preferred()) == set(found.preferred())
    pods = found.find("v1", "Pod")
    assert pods is not None and {"log", "status"} <= pods.subresources


async def test_metadata_of_any_resource(any_client: Client) -> None:
    maps = (await Discovery(any_client).refresh()).find("v1", "ConfigMap")
    assert maps is not None
    resource = any_client.metadata(maps)
    created = ConfigMap(metadata=ObjectMeta(name="a", namespace="default", labels={"x": "y"}), data={"k": "v"})
    await any_client.of(ConfigMap).create(created)
    one = await resource.get("a", namespace="default")
    assert one.kind == "PartialObjectMetadata" and one.metadata.labels == {"x": "y"}
    page = await resource.list(namespace="default")
    assert "a" in [item.metadata.name for item in page.items]
    patched = await resource.patch("a", {"metadata": {"labels": {"x": "z"}}}, namespace="default")
    assert patched.metadata.labels == {"x": "z"}
    watch = resource.watch(namespace="default", resource_version=page.resource_version)
    event = (await anext(watch))[0]
    assert event.object is not None and event.object.kind == "PartialObjectMetadata"
    await watch.aclose()
    await resource.delete("a", namespace="default", uid=one.metadata.uid)
    await any_client.of(ConfigMap).create(created)
    await resource.delete_collection(namespace="default")
    assert "a" not in [item.metadata.name for item in (await resource.list(namespace="default")).items]


async def test_a_reflector_lists_in_pages(any_client: Client) -> None:
    """Each page is handed on before the next one is requested; what a page lacks is only known at the end."""
    for number in range(7):
        meta = ObjectMeta(name=f"m{number}", namespace="default")
        await any_client.of(ConfigMap).create(ConfigMap(metadata=meta))
    maps = (await Discovery(any_client).refresh()).find("v1", "ConfigMap")
    assert maps is not None
    calls: list[str] = []

    class Sink:
        def put(self, obj: PartialObjectMetadata) -> None:
            calls.append(obj.metadata.name)

        def retain(self, uids: Set[str]) -> None:
            calls.append(f"{len(uids)} in all")

        def remove(self, obj: PartialObjectMetadata) -> None:
            calls.append(f"-{obj.metadata.name}")

    reflector = Reflector(any_client.metadata(maps), Sink(), namespace="default", page_size=3)
    task = asyncio.create_task(reflector.run(), name="reflector")
    await asyncio.wait_for(reflector.synced(), 10)
    assert calls == [*(f"m{number}" for number in range(7)), "7 in all"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
