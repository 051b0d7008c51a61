"""DNS, host names, QoS classes, resources and security contexts."""

from typing import Any

import pytest

from pybernetes.kubelet.errors import StartFailed
from pybernetes.kubelet.podspec import qos_class
from pybernetes.kubelet.resolver import hosts_file, parse_resolv_conf, pod_dns, sandbox_hostname
from pybernetes.kubelet.resources import container_resources, pod_limits
from pybernetes.kubelet.runtime import Dns, ImageInfo
from pybernetes.kubelet.security import container_security, sandbox_security

from .builders import pod

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


def test_limits_in_the_units_of_the_kernel() -> None:
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
def test_run_as_non_root(context: dict[str, Any], image: ImageInfo) -> None:
    of = pod({"securityContext": context})
    with pytest.raises(StartFailed):
        container_security(of, of.spec.containers[0], image)
