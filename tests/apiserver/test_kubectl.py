"""The server as kubectl sees it, over TLS."""

import glob
import shutil

import pytest

from .conftest import Kubectl

VERSIONS = [*sorted(glob.glob("/usr/lib/google-cloud-sdk/bin/kubectl.1.*")), shutil.which("kubectl") or "kubectl"]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers: [{name: c, image: busybox}]
"""


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", VERSIONS, indirect=True)
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
