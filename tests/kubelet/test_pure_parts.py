"""Expansion, environment, downward API, resolver, resources, image collection, manifests, probes' thresholds."""

from typing import Any

import msgspec
import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import Probe
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.selectors import ResourceFieldSelector
from pybernetes.api.core.service import Service
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.config import ConfigError, KubeletConfig
from pybernetes.kubelet.environment import environment, environment_references
from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.expand import expand
from pybernetes.kubelet.field_path import BadFieldPath, field_value, resource_value
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.image_gc import removable
from pybernetes.kubelet.images import docker_auths, image_references
from pybernetes.kubelet.podspec import qos_class
from pybernetes.kubelet.probes.state import ProbeKind, ProbeState, first_delay, first_state, health_of, may_run
from pybernetes.kubelet.resolver import hosts_file, parse_resolv_conf, pod_dns, sandbox_hostname
from pybernetes.kubelet.resources import container_resources, pod_limits
from pybernetes.kubelet.runtime import Dns, ImageInfo
from pybernetes.kubelet.security import container_security, sandbox_security
from pybernetes.kubelet.static_pods import ManifestError, manifest_pod

from .builders import FakeObjects, info, pod, state


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("", ""),
        ("$$", "$"),
        ("$()", "$()"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


async def variables(env: list[dict[str, Any]], sources: list[dict[str, Any]] | None = None) -> dict[str, str]:
    of = pod({"containers": [{"name": "c", "image": "b", "env": env, "envFrom": sources or []}]})
    return await environment(of, of.spec.containers[0], FakeObjects(m={"k": b"v", "0bad": b"x"}), [], {})


async def test_environment_order_and_optional() -> None:
    found = await variables(
        [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)$(k)"},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "none", "optional": True}}},
        ],
        [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "none", "optional": True}}],
    )
    assert found == {"k": "v", "A": "1", "B": "1v"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "m", "key": "z"}}, "couldn't find key z in ConfigMap default/m"),
        ({"fieldRef": {"fieldPath": "spec.bogus"}}, "unsupported fieldPath: spec.bogus"),
        ({"resourceFieldRef": {"resource": "limits.bogus"}}, "unsupported container resource : limits.bogus"),
    ],
)
async def test_environment_refuses(source: dict[str, Any], message: str) -> None:
    with pytest.raises(StartFailed) as caught:
        await variables([{"name": "A", "valueFrom": source}])
    assert str(caught.value) == message
    assert caught.value.reason == "CreateContainerConfigError"


async def test_service_variables() -> None:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"name": "web-ui", "port": 80}, {"port": 53, "protocol": "UDP"}]}
    services = [
        msgspec.convert({"metadata": {"name": "my-db", "namespace": "default"}, "spec": spec}, Service),
        msgspec.convert({"metadata": {"name": "far", "namespace": "other"}, "spec": spec}, Service),
        msgspec.convert(
            {"metadata": {"name": "hl", "namespace": "default"}, "spec": {**spec, "clusterIP": "None"}}, Service
        ),
    ]
    of = pod()
    found = await environment(of, of.spec.containers[0], FakeObjects(), services, {})
    assert found["MY_DB_SERVICE_HOST"] == "10.0.0.1"
    assert found["MY_DB_SERVICE_PORT_WEB_UI"] == "80"
    assert found["MY_DB_PORT_53_UDP"] == "udp://10.0.0.1:53"
    assert not any(name.startswith(("FAR", "HL")) for name in found)
    assert not await environment(pod({"enableServiceLinks": False}), of.spec.containers[0], FakeObjects(), services, {})


def test_field_paths() -> None:
    of = pod(labels={"a": 'x"y', "b": "2"}, annotations={"k": "v"})
    assert field_value(of, "metadata.labels['b']") == "2"
    assert field_value(of, "metadata.labels") == 'a="x\\"y"\nb="2"'
    assert field_value(of, "metadata.annotations['none']") == ""
    with pytest.raises(BadFieldPath):
        field_value(of, "metadata.labels[b]")


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", None, "1"),
        ("limits.cpu", "1m", "250"),
        ("limits.memory", "1Mi", "64"),
        ("requests.cpu", "1m", "250"),
        ("limits.ephemeral-storage", None, "1024"),
    ],
)
def test_resource_fields(resource: str, divisor: str | None, expected: str) -> None:
    limits = {"limits": {"cpu": "250m", "memory": "64Mi"}}
    of = pod({"containers": [{"name": "c", "image": "b", "resources": limits}]})
    selector = ResourceFieldSelector(resource=resource, divisor=divisor)
    assert resource_value(of, selector, "c", {"ephemeral-storage": "1Ki"}) == expected


HOST = parse_resolv_conf(
    "# x\nnameserver 192.0.2.1\nsearch corp.example. other\noptions timeout:1\nbogus\nnameserver\n"
)


@pytest.mark.parametrize(
    ("spec", "servers", "searches", "options"),
    [
        (
            {},
            ("10.96.0.10",),
            ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example", "other"),
            ("ndots:5",),
        ),
        ({"dnsPolicy": "Default"}, ("192.0.2.1",), ("corp.example", "other"), ("timeout:1",)),
        ({"hostNetwork": True}, ("192.0.2.1",), ("corp.example", "other"), ("timeout:1",)),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {
                    "nameservers": ["1.2.3.4"],
                    "searches": ["x"],
                    "options": [{"name": "ndots", "value": "2"}],
                },
            },
            ("1.2.3.4",),
            ("x",),
            ("ndots:2",),
        ),
    ],
)
def test_dns(
    spec: dict[str, Any], servers: tuple[str, ...], searches: tuple[str, ...], options: tuple[str, ...]
) -> None:
    found = pod_dns(pod({"dnsPolicy": "ClusterFirst", **spec}), HOST, ("10.96.0.10",), "cluster.local")
    assert found == Dns(servers=servers, searches=searches, options=options)


def test_cluster_first_with_host_net() -> None:
    of = pod({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True})
    assert pod_dns(of, HOST, ("10.96.0.10",), "cluster.local").servers == ("10.96.0.10",)


def test_names_in_hosts() -> None:
    of = pod({"hostname": "h", "subdomain": "s", "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]})
    text = hosts_file(of, ("10.0.0.5",), "cluster.local")
    assert "10.0.0.5\th.s.default.svc.cluster.local\th\n" in text
    assert "1.2.3.4\ta\tb\n" in text
    assert sandbox_hostname(of, "cluster.local") == "h"
    full = pod({"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": True})
    assert sandbox_hostname(full, "cluster.local") == "h.s.default.svc.cluster.local"
    assert len(sandbox_hostname(pod(name="x" * 80), "cluster.local")) == 63
    assert sandbox_hostname(pod({"hostNetwork": True, "hostname": "h"}), "cluster.local") == ""


def needs(*resources: dict[str, Any]) -> Any:
    return pod({"containers": [{"name": f"c{i}", "image": "b", "resources": r} for i, r in enumerate(resources)]})


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (needs({}), "BestEffort"),
        (needs({"limits": BOTH}), "Guaranteed"),
        (needs({"limits": BOTH, "requests": BOTH}), "Guaranteed"),
        (needs({"limits": BOTH, "requests": {"cpu": "500m"}}), "Burstable"),
        (needs({"limits": BOTH}, {}), "Burstable"),
        (needs({"requests": {"cpu": "1"}}), "Burstable"),
    ],
)
def test_qos(of: Any, expected: str) -> None:
    assert qos_class(of) == expected


def test_limits_in_the_kernels_units() -> None:
    of = needs({"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}})
    found = container_resources(of, of.spec.containers[0], 1 << 30)
    assert (found.cpu_shares, found.cpu_quota, found.memory_limit) == (256, 50_000, 64 << 20)
    assert found.oom_score_adj == 1000 - 1000 * 32 // 1024
    limits = pod_limits(of)
    assert (limits.cpu_shares, limits.cpu_quota, limits.memory) == (256, 50_000, 64 << 20)
    assert pod_limits(needs({"limits": BOTH}, {})).memory is None
    assert container_resources(needs({}), needs({}).spec.containers[0], 1).oom_score_adj == 1000


def test_security() -> None:
    spec = {
        "hostPID": True,
        "securityContext": {"runAsUser": 5, "fsGroup": 7, "supplementalGroups": [8]},
        "containers": [
            {
                "name": "c",
                "image": "b",
                "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
            },
            {
                "name": "d",
                "image": "b",
                "securityContext": {"runAsUser": 9, "seccompProfile": {"type": "RuntimeDefault"}},
            },
        ],
    }
    of = pod(spec)
    first, second = (container_security(of, c, None) for c in of.spec.containers)
    assert (first.user, first.privileged, first.masked_paths, first.namespaces.pid) == (5, True, (), "node")
    assert (second.user, second.seccomp.type, second.supplemental_groups) == (9, "RuntimeDefault", (8, 7))
    assert sandbox_security(of).privileged


@pytest.mark.parametrize(
    ("context", "image"),
    [
        ({"runAsNonRoot": True}, ImageInfo(id="x")),
        ({"runAsNonRoot": True}, ImageInfo(id="x", username="web")),
        ({"runAsNonRoot": True, "runAsUser": 0}, ImageInfo(id="x", uid=5)),
        ({"runAsNonRoot": True}, ImageInfo(id="x", uid=0)),
    ],
)
def test_root_is_refused(context: dict[str, Any], image: ImageInfo) -> None:
    of = pod({"securityContext": context})
    with pytest.raises(StartFailed):
        container_security(of, of.spec.containers[0], image)


def test_images_to_remove() -> None:
    images = [ImageInfo(id=n, tags=(f"r/{n}:1",), size=10) for n in ("old", "older", "used", "fresh")]
    images.append(ImageInfo(id="p", tags=("r/pause:3",), size=10))
    last = {"old": 5.0, "older": 1.0, "used": 0.0, "fresh": 99.0, "p": 0.0}
    assert [i.id for i in removable(images, {"r/used:1"}, last, 11, 50.0)] == ["older", "old"]
    assert [i.id for i in removable(images, {"r/used:1"}, last, 10, 50.0)] == ["older"]
    assert removable(images, set(), last, 0, 50.0) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'"x"', b'{"auths": 5}', b'{"auths": {"r": {"auth": "%"}}}'])
def test_broken_docker_configurations_give_nothing(text: bytes) -> None:
    assert list(docker_auths(text)) == []


def test_docker_configuration() -> None:
    text = b'{"auths": {"https://reg.example/v1/": {"auth": "dXNlcjpwYXNz"}}}'
    registry, auth = next(docker_auths(text))
    assert (registry, auth.username, auth.password) == ("https://reg.example/v1/", "user", "pass")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not a pod"),
        (b"kind: Deployment", "expected a v1 Pod"),
        (b"[1, 2]", "not a pod"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "each of spec.containers"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", "not a pod"),
        (b"\xff\xfe\x00", "not a pod"),
    ],
)
def test_bad_manifests(data: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifest_pod(data, "node-1")


def test_manifest() -> None:
    data = b"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: b}]}"
    found = manifest_pod(data, "node-1")
    assert (found.metadata.name, found.metadata.namespace) == ("web-node-1", "default")
    assert found.metadata.uid != manifest_pod(data + b"\n", "node-1").metadata.uid


def test_a_probe_changes_its_finding_at_its_thresholds() -> None:
    probe = ProbeState(kind="liveness", successes_needed=2, failures_needed=3)
    findings = []
    for ok in (True, False, False, True, False, False, False, True, True):
        probe = probe.after(ok)
        findings.append(probe.finding)
    assert findings == [None, None, None, None, None, None, False, False, True]


def test_a_startup_probe_holds_back_the_others_and_ends_when_it_passes() -> None:
    startup = ProbeState(kind="startup", finding=None)
    states = {("c-0", "startup"): startup, ("c-0", "readiness"): ProbeState(kind="readiness", finding=True)}
    assert may_run(("c-0", "startup"), states)
    assert not may_run(("c-0", "readiness"), states)
    assert health_of(state(info()), states) == Health()
    states["c-0", "startup"] = startup.after(True)
    assert states["c-0", "startup"].finished
    assert may_run(("c-0", "readiness"), states)
    assert health_of(state(info()), states) == Health({"c-0"}, {"c-0"})


def test_failed_startup_and_liveness_probes_make_a_container_unhealthy() -> None:
    for kind in ("startup", "liveness"):
        found = health_of(state(info()), {("c-0", kind): ProbeState(kind=kind, finding=False)})
        assert found.unhealthy == {"c-0": kind}
    assert health_of(state(info(state="exited")), {}) == Health()


@pytest.mark.parametrize(
    ("age", "delay"),
    [
        pytest.param(0.0, 30.0, id="initial delay"),
        pytest.param(20.0, 10.0, id="rest of the initial delay"),
        pytest.param(31.0, 0.1, id="just over"),
        pytest.param(99.0, 0.5, id="old container: spread"),
    ],
)
def test_the_first_delay_of_a_probe(age: float, delay: float) -> None:
    assert first_delay(Probe(initial_delay_seconds=30, period_seconds=60 if age < 99 else 10), age, 0.5) == delay


def test_references_of_environment_and_images() -> None:
    spec = {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{"name": "c", "image": "b", "envFrom": [{"secretRef": {"name": "env"}}]}],
    }
    assert list(image_references(pod(spec))) == [ObjectKey(Secret, "default", "pull")]
    assert list(environment_references(pod(spec))) == [ObjectKey(Secret, "default", "env")]


@pytest.mark.parametrize(
    "changes",
    [
        {"node_name": "Upper"},
        {"node_name": ""},
        {"node_ips": ()},
        {"port": 70000},
        {"image_gc_low_percent": 90},
        {"tls_cert_file": "x"},
        {"log_max_files": 1},
    ],
)
def test_bad_configurations_name_the_fix(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        KubeletConfig(**{"node_name": "n", "node_ips": ("1.2.3.4",), **changes}).check()


def test_findings_survive_a_restart_of_the_kubelet() -> None:
    found = [{"name": "c", "containerID": "containerd://c-0", "ready": True, "started": True}]
    new = pod()
    known = msgspec.structs.replace(new, status=msgspec.convert({"containerStatuses": found}, type(new.status)))

    def finding(of: Pod, kind: ProbeKind, attempt: int = 0) -> bool | None:
        return first_state(of, info(attempt=attempt), kind, Probe()).finding

    assert finding(known, "readiness")
    assert finding(known, "startup")
    assert finding(known, "liveness") is None
    assert finding(known, "readiness", attempt=1) is None
    assert finding(new, "readiness") is None
