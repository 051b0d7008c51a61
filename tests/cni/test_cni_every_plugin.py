"""The requirements of the CNI specification for all plugins, checked for each."""

from __future__ import annotations

from typing import Any

import pytest

from cni.cni_world import World
from pybernetes.cni import spec
from pybernetes.cni.plugins import PLUGINS

pytestmark = pytest.mark.kernel

STATIC = {"type": "static", "addresses": [{"address": "10.9.0.2/24"}]}
LIMITS = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 400_000}
PORTS = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
RESULT = {"interfaces": [{"name": "lo", "sandbox": "/x"}], "ips": [{"address": "10.9.0.2/24"}]}
EVERY = pytest.mark.parametrize("plugin", PLUGINS)


def settings(world: World, plugin: str, version: str = "1.1.0") -> dict[str, Any]:
    """A valid configuration of each plugin."""
    more: dict[str, Any] = {"dataDir": str(world.root / plugin)}
    match plugin:
        case "flannel":
            more = {key: value for key, value in world.flannel().items() if key not in ("cniVersion", "name")}
        case "bridge" | "ptp" | "host-local":
            more["ipam"] = {**world.bridge()["ipam"], "type": "host-local"}
        case "macvlan" | "ipvlan":
            world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "up1")
            more |= {"master": "up0", "ipam": STATIC}
        case "static":
            more["ipam"] = STATIC
        case "portmap":
            more["runtimeConfig"] = PORTS
        case "tuning":
            more |= {"mtu": 1400, "sysctl": {"net.core.somaxconn": "500"}}
        case "bandwidth":
            more |= LIMITS
    return {"cniVersion": version, "name": "cbr0", "type": plugin, **more}


@EVERY
def test_status_and_version(world: World, plugin: str) -> None:
    assert world.call(plugin, "STATUS", settings(world, plugin), "x") == {}
    answer = world.call(plugin, "VERSION", {"cniVersion": "0.3.1"}, "x")
    assert answer == {"cniVersion": "0.3.1", "supportedVersions": list(spec.VERSIONS)}


@EVERY
@pytest.mark.parametrize("version", spec.VERSIONS)
def test_del_without_an_attachment_succeeds(world: World, plugin: str, version: str) -> None:
    """Without a namespace, a previous ADD or a result; twice."""
    config = settings(world, plugin, version)
    for env in ({}, {}, {"CNI_NETNS": ""}):
        assert world.call(plugin, "DEL", config, "gone", **env) == {}


@EVERY
def test_gc_without_garbage_succeeds(world: World, plugin: str) -> None:
    config = {**settings(world, plugin), "cni.dev/valid-attachments": []}
    assert world.call(plugin, "GC", config, "x") == {}


@EVERY
def test_check_needs_a_previous_result(world: World, plugin: str) -> None:
    world.make("a")
    answer = world.fails(plugin, "CHECK", settings(world, plugin), "a")
    assert (answer["code"], answer["msg"]) == (7, "required prevResult missing")
    if plugin in ("loopback", "static"):
        return  # `lo` is always up, and static addresses come from the configuration
    answer = world.fails(plugin, "CHECK", {**settings(world, plugin), "prevResult": RESULT}, "a")
    assert answer["code"] in (3, 7, 100, 102), answer


@EVERY
def test_a_missing_namespace_fails(world: World, plugin: str) -> None:
    if plugin in ("host-local", "static", "portmap", "bandwidth"):
        return  # these never enter it
    config = {**settings(world, plugin), **({"prevResult": RESULT} if plugin == "tuning" else {})}
    answer = world.fails(plugin, "ADD", config, "gone")
    assert answer["code"] == 100 and f"/run/netns/{world.prefix}-gone" in answer["msg"]
    assert world.addresses == set()


@EVERY
def test_unsupported_versions(world: World, plugin: str) -> None:
    for version in ("0.2.0", "2.0.0", "1"):
        answer = world.fails(plugin, "ADD", settings(world, plugin, version), "a")
        assert (answer["code"], answer["cniVersion"]) == (1, version)
    assert world.fails(plugin, "GC", settings(world, plugin, "1.0.0"), "a")["code"] == 1
    assert world.fails(plugin, "CHECK", settings(world, plugin, "0.3.1"), "a")["code"] == 1
