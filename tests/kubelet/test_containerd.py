"""The kubelet with real containers."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.names import log_directory
from pybernetes.linux import mount
from pybernetes.linux.cgroup import Cgroup

from .fake_api import FakeApi
from .harness import Harness, config, running
from .node import BUSYBOX, Node

pytestmark = [pytest.mark.node, pytest.mark.slow]

WAIT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def container(script: str = WAIT, name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": BUSYBOX, "command": ["sh", "-c", script], **more}


def one(script: str = WAIT, **more: Any) -> dict[str, Any]:
    return {"containers": [container(script, **more)]}


@pytest.fixture
async def k(node: Node, tmp_path: Path) -> AsyncIterator[Harness]:
    async with running(CriRuntime(node.socket), config(tmp_path, cgroup_root=node.cgroup_root)) as harness:
        yield harness
        for path in [p for p in harness.api.objects if "/pods/" in p]:
            harness.delete(path, 1)
            await harness.gone(path)
        assert await harness.kubelet.runtime.list_pods() == {}
        assert not mount.under(tmp_path)


async def ready(k: Harness, path: str) -> dict[str, Any]:
    await k.until(lambda: k.condition(path, "Ready") == "True")
    return k.status(path)


async def ended(k: Harness, path: str) -> dict[str, Any]:
    await k.until(lambda: k.status(path).get("phase") in ("Succeeded", "Failed"))
    return k.status(path)


def logs(k: Harness, path: str, name: str = "c", attempt: int = 0) -> list[str]:
    meta = k.api.objects[path]["metadata"]
    directory = log_directory(str(k.kubelet.config.pod_logs_dir), "default", meta["name"], meta["uid"])
    lines = Path(directory, name, f"{attempt}.log").read_text().splitlines()
    return [line.split(" ", 3)[3] for line in lines]


async def test_pod_runs_and_terminates(k: Harness, tmp_path: Path) -> None:
    path = k.create("web", one())
    status = await ready(k, path)
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("10.213.0.")
    assert status["qosClass"] == "BestEffort"
    assert status["containerStatuses"][0]["containerID"].startswith("containerd://")
    assert k.events.reasons("web") == ["Pulled", "Created", "Started"]
    k.delete(path)
    await k.gone(path)
    assert not list((tmp_path / "kubelet" / "pods").iterdir())
    node_object = k.api.objects["/api/v1/nodes/node-1"]
    assert {c["type"]: c["status"] for c in node_object["status"]["conditions"]}["Ready"] == "True"


async def test_environment_volumes_and_files(k: Harness, tmp_path: Path) -> None:
    base = "/api/v1/namespaces/default"
    k.api.put(f"{base}/configmaps/conf", {"data": {"a": "1", "b.txt": "two"}})
    k.api.put(f"{base}/secrets/top", {"data": {"password": "aHVudGVyMg=="}})
    k.api.put(f"{base}/services/db", {"spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 5432}]}})
    script = (
        "echo $A $PASSWORD $WHO $LIMIT $DB_SERVICE_HOST $BOTH $0 $1; cat /conf/b.txt; echo; cat /all/x /all/labels;"
        "echo; stat -Lc %a /all/x; cat /sub/note; ls -ld /empty | cut -c1-10; df /mem | tail -1 | cut -d' ' -f1;"
        "echo done > /dev/termination-log; grep -c web.example /etc/hosts; hostname; id -G"
    )
    spec = {
        "restartPolicy": "Never",
        "hostAliases": [{"ip": "192.0.2.9", "hostnames": ["web.example"]}],
        "hostname": "h",
        "securityContext": {"fsGroup": 4242},
        "containers": [
            {
                "name": "c",
                "image": BUSYBOX,
                "command": ["sh", "-c", script],
                "args": ["$(A)-$$(A)", "$(MISSING)"],
                "resources": {"limits": {"memory": "32Mi", "cpu": "500m"}},
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "a"}}},
                    {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {
                        "name": "LIMIT",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
                    },
                    {"name": "BOTH", "value": "$(A)/$(WHO)"},
                    {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "x", "optional": True}}},
                ],
                "envFrom": [{"prefix": "X_", "configMapRef": {"name": "conf"}}, {"secretRef": {"name": "top"}}],
                "volumeMounts": [
                    {"name": "conf", "mountPath": "/conf"},
                    {"name": "all", "mountPath": "/all"},
                    {"name": "empty", "mountPath": "/empty"},
                    {"name": "mem", "mountPath": "/mem"},
                    {"name": "host", "mountPath": "/sub", "subPath": "deep/er"},
                ],
            }
        ],
        "volumes": [
            {"name": "conf", "configMap": {"name": "conf"}},
            {
                "name": "all",
                "projected": {
                    "sources": [
                        {"secret": {"name": "top", "items": [{"key": "password", "path": "x", "mode": 0o400}]}},
                        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                        {"serviceAccountToken": {"path": "token"}},
                    ]
                },
            },
            {"name": "empty", "emptyDir": {}},
            {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "host", "hostPath": {"path": str(tmp_path / "host"), "type": "DirectoryOrCreate"}},
        ],
    }
    (tmp_path / "host" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "host" / "deep" / "er" / "note").write_text("subpath\n")
    spec["containers"][0]["env"].append(  # type: ignore[index]
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "top", "key": "password"}}}
    )
    path = k.create("web", spec, labels={"app": "web"})
    status = await ended(k, path)
    assert logs(k, path) == [
        "1 hunter2 web 32 10.96.0.7 1/web 1-$(A) $(MISSING)",
        "two",
        'hunter2app="web"',
        "440",
        "subpath",
        "drwxrwsrwx",
        "tmpfs",
        "1",
        "h",
        "0 4242",
    ]
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["message"], terminated["exitCode"]) == ("done\n", 0)
    assert status["qosClass"] == "Guaranteed"


async def test_config_map_volume_is_updated(k: Harness) -> None:
    base = "/api/v1/namespaces/default/configmaps/live"
    k.api.put(base, {"data": {"v": "one"}})
    mounts = [{"name": "v", "mountPath": "/v"}]
    script = "trap 'exit 0' TERM; while :; do cat /v/v; echo; sleep 0.05; done"
    spec = {**one(script, volumeMounts=mounts), "volumes": [{"name": "v", "configMap": {"name": "live"}}]}
    path = k.create("web", spec)
    await ready(k, path)
    k.api.put(base, {"data": {"v": "two"}})
    await k.until(lambda: "two" in logs(k, path))


async def test_container_waits_for_a_missing_config_map(k: Harness) -> None:
    spec = one(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "a"}}}])
    path = k.create("web", spec)

    def reason() -> Any:
        states = k.status(path).get("containerStatuses", [{}])[0].get("state", {})
        return states.get("waiting", {}).get("reason")

    await k.until(lambda: reason() == "CreateContainerConfigError")
    k.api.put("/api/v1/namespaces/default/configmaps/later", {"data": {"a": "1"}})
    await ready(k, path)


async def test_init_containers_sidecar_and_order(k: Harness) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]
    mounts = [{"name": "v", "mountPath": "/v"}]
    spec = {
        "restartPolicy": "Never",
        "volumes": volumes,
        "initContainers": [
            container("echo init >> /v/log", name="i1", volumeMounts=mounts),
            container(f"echo sidecar >> /v/log; {WAIT}", name="side", restartPolicy="Always", volumeMounts=mounts),
        ],
        "containers": [container("sleep 0.1; cat /v/log", volumeMounts=mounts)],
    }
    path = k.create("web", spec)
    status = await ended(k, path)
    assert status["phase"] == "Succeeded"
    assert logs(k, path) == ["init", "sidecar"]


async def test_probes_restart_and_readiness(k: Harness) -> None:
    probe = {"periodSeconds": 1, "failureThreshold": 1}
    check = {"exec": {"command": ["test", "-e", "/tmp/ok"]}}
    http = "mkdir /www; echo hi > /www/index.html; touch /tmp/ok; exec httpd -f -p 8080 -h /www"
    port = [{"name": "http", "containerPort": 8080}]
    spec = {
        "containers": [
            container(
                http,
                ports=port,
                startupProbe={**check, **probe, "failureThreshold": 30},
                readinessProbe={"httpGet": {"path": "/index.html", "port": "http"}, **probe},
                livenessProbe={"tcpSocket": {"port": 8080}, **probe},
            ),
            container("touch /tmp/ok; sleep 0.6; rm /tmp/ok; sleep 100", name="sick", livenessProbe={**check, **probe}),
        ]
    }
    path = k.create("web", spec)
    await k.until(
        lambda: any(
            c["name"] == "sick" and c["restartCount"] >= 1 for c in k.status(path).get("containerStatuses", [])
        ),
        20,
    )
    good = next(c for c in k.status(path)["containerStatuses"] if c["name"] == "c")
    assert good["ready"]
    assert good["restartCount"] == 0
    assert "Unhealthy" in k.events.reasons("web")
    messages = [m for _, _, m in k.events.seen]
    assert "Container sick failed liveness probe, will be restarted" in messages


async def test_pre_stop_runs_before_term(k: Harness, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mounts = [{"name": "o", "mountPath": "/o"}]
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /o/log"]}}}
    script = "trap 'echo term >> /o/log; exit 0' TERM; while :; do sleep 0.05; done"
    spec = {
        **one(script, volumeMounts=mounts, lifecycle=hook),
        "volumes": [{"name": "o", "hostPath": {"path": str(out)}}],
    }
    path = k.create("web", spec)
    await ready(k, path)
    k.delete(path)
    await k.gone(path)
    assert (out / "log").read_text() == "hook\nterm\n"


async def test_image_that_cannot_be_pulled(k: Harness) -> None:
    path = k.create("web", {"containers": [{"name": "c", "image": "localhost:1/none:1"}]})

    def reason() -> Any:
        states = k.status(path).get("containerStatuses", [{}])[0].get("state", {})
        return states.get("waiting", {}).get("reason")

    await k.until(lambda: reason() in ("ErrImagePull", "ImagePullBackOff"))
    await k.until(lambda: reason() == "ImagePullBackOff")
    assert {"Pulling", "Failed", "BackOff"} <= set(k.events.reasons("web"))


async def test_security_and_cgroups(k: Harness, node: Node) -> None:
    context = {
        "runAsUser": 1000,
        "runAsGroup": 3000,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    script = (
        "id -u; id -g; touch /x 2>/dev/null || echo read-only; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status"
    )
    spec = {
        "restartPolicy": "Never",
        **one(script, securityContext=context, resources={"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}),
    }
    spec["containers"].append(container(name="stay"))
    path = k.create("web", spec)
    uid = k.api.objects[path]["metadata"]["uid"]
    await k.until(lambda: k.status(path).get("containerStatuses", [{}])[0].get("state", {}).get("terminated"))
    found = [line.replace("\t", " ") for line in logs(k, path)]
    assert found[:3] == ["1000", "3000", "read-only"]
    assert "CapBnd: 0000000000000000" in found
    assert "NoNewPrivs: 1" in found
    assert "Seccomp: 2" in found
    assert Cgroup(f"{node.cgroup_root}/kubepods/burstable/pod{uid}").pids(recursive=True)


async def test_killed_kubelet_restarts_no_container(node: Node, tmp_path: Path) -> None:
    api, settings = FakeApi(), config(tmp_path, cgroup_root=node.cgroup_root)
    async with running(CriRuntime(node.socket), settings, api) as k:
        path = k.create("web", one())
        before = await ready(k, path)
        gone = k.create("gone", one())
        await ready(k, gone)
    api.remove(gone)
    async with running(CriRuntime(node.socket), settings, api) as k:
        fresh = k.create("fresh", one())
        await ready(k, fresh)
        assert k.status(path)["containerStatuses"] == before["containerStatuses"]
        async with asyncio.timeout(10):
            while len(await k.kubelet.runtime.list_pods()) > 2:
                await asyncio.sleep(0.05)
        for pod in (path, fresh):
            k.delete(pod)
            await k.gone(pod)


async def test_restarted_kubelet_updates_volumes(node: Node, tmp_path: Path) -> None:
    api, settings = FakeApi(), config(tmp_path, cgroup_root=node.cgroup_root)
    live = "/api/v1/namespaces/default/configmaps/live"
    api.put(live, {"data": {"v": "one"}})
    mounts = [{"name": "v", "mountPath": "/v"}]
    script = "trap 'exit 0' TERM; while :; do cat /v/v; echo; sleep 0.05; done"
    spec = {**one(script, volumeMounts=mounts), "volumes": [{"name": "v", "configMap": {"name": "live"}}]}
    async with running(CriRuntime(node.socket), settings, api) as k:
        path = k.create("web", spec)
        await ready(k, path)
    before = len(api.requests)
    async with running(CriRuntime(node.socket), settings, api) as k:
        await k.until(lambda: any("/configmaps" in requested for _, requested in api.requests[before:]))
        api.put(live, {"data": {"v": "two"}})
        await k.until(lambda: "two" in logs(k, path))
        assert k.status(path)["containerStatuses"][0]["restartCount"] == 0
        k.delete(path)
        await k.gone(path)


async def test_pods_survive_a_restart_of_containerd(own_node: Node, tmp_path: Path) -> None:
    settings = config(tmp_path, cgroup_root=own_node.cgroup_root)
    async with running(CriRuntime(own_node.socket), settings) as k:
        path = k.create("web", one())
        before = await ready(k, path)
        await asyncio.to_thread(own_node.stop, signal.SIGKILL)
        await asyncio.to_thread(own_node.start)
        later = k.create("later", one("exit 0"))
        await k.until(lambda: (k.status(later).get("containerStatuses") or [{}])[0].get("restartCount", 0) >= 1, 60)
        assert k.status(path)["containerStatuses"] == before["containerStatuses"]
        for pod in (path, later):
            k.delete(pod, 1)
            await k.gone(pod)


async def test_killed_container_is_restarted(k: Harness) -> None:
    path = k.create("web", one("echo started; exec sleep 1000"))
    await ready(k, path)
    state = await k.kubelet.runtime.pod(k.api.objects[path]["metadata"]["uid"])
    await k.kubelet.runtime.stop_container(state.containers[0].id, 0)
    await k.until(lambda: k.status(path)["containerStatuses"][0]["restartCount"] == 1)
    last = k.status(path)["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 137
    assert logs(k, path, attempt=1) == ["started"]


async def test_secret_is_kept_in_memory(k: Harness) -> None:
    k.api.put("/api/v1/namespaces/default/secrets/s", {"data": {"a": "eA=="}})
    spec = {
        **one(volumeMounts=[{"name": "s", "mountPath": "/s"}]),
        "volumes": [{"name": "s", "secret": {"secretName": "s"}}],
    }
    path = k.create("web", spec)
    await ready(k, path)
    uid = k.api.objects[path]["metadata"]["uid"]
    directory = k.kubelet.config.root_dir / "pods" / uid / "volumes" / "kubernetes.io~secret" / "s"
    assert next(m.fstype for m in mount.under(directory)) == "tmpfs"
    assert os.readlink(directory / "..data").startswith("..20")
    assert stat.S_IMODE((directory / "a").stat().st_mode) == 0o644
