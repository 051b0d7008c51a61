"""kubectl against the server, over TLS."""

import pytest

from support.kubectls import kubectls

from .conftest import Kubectl

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers: [{name: c, image: busybox}]
"""


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", kubectls(), indirect=True)
async def test_a_pod_from_create_to_delete(kubectl: Kubectl) -> None:
    assert "pod/web created" in await kubectl("create", "-f", "-", stdin=POD)
    assert "web" in await kubectl("get", "pods")
    assert "web" in await kubectl("get", "pods", "-A", "-l", "app=web", "-o", "wide")
    assert await kubectl("get", "pod", "web", "-o", "jsonpath={.spec.containers[0].image}") == "busybox"
    assert "web" in await kubectl("describe", "pod", "web")
    assert "deleted" in await kubectl("delete", "pod", "web")
    code, _, err = await kubectl.run("get", "pod", "web")
    assert code == 1
    assert 'pods "web" not found' in err


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", kubectls(), indirect=True)
async def test_the_everyday_commands(kubectl: Kubectl) -> None:
    assert "created" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "configured" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("nginx", "nginx:2"))
    code, out, _ = await kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT.replace("nginx", "nginx:3"))
    assert code == 1
    assert "image: nginx:3" in out
    applied = await kubectl("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT.replace("name: web", "name: ssa"))
    assert "serverside-applied" in applied
    assert "scaled" in await kubectl("scale", "deploy/web", "--replicas=3")
    assert "image updated" in await kubectl("set", "image", "deploy/web", "c=nginx:4")
    assert "exposed" in await kubectl("expose", "deploy/web", "--port=80")
    assert "restarted" in await kubectl("rollout", "restart", "deploy/web")
    assert "3" in await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}")
    assert "Replicas:" in await kubectl("describe", "deploy", "web")
    for kind in (
        ("configmap", "x", "--from-literal=a=1"),
        ("secret", "generic", "x", "--from-literal=a=1"),
        ("serviceaccount", "x"),
        ("role", "x", "--verb=get", "--resource=pods"),
        ("rolebinding", "x", "--role=x", "--serviceaccount=default:x"),
        ("namespace", "x"),
        ("deployment", "x", "--image=x"),
    ):
        assert "created" in await kubectl("create", *kind)
    assert "labeled" in await kubectl("label", "cm", "x", "a=b")
    assert "condition met" in await kubectl("wait", "--for=jsonpath={.data.a}=1", "cm/x", "--timeout=5s")
    assert "deployments" in await kubectl("api-resources")
    assert "VERSION:" in await kubectl("explain", "deployment.spec.replicas")
    assert "v1.34.0" in await kubectl("version", "-o", "json")
    code, _, err = await kubectl.run("create", "-f", "-", stdin=DEPLOYMENT.replace("replicas", "replikas"))
    assert code == 1
    assert 'unknown field "spec.replikas"' in err
    assert "deleted" in await kubectl("delete", "deploy", "--all")
