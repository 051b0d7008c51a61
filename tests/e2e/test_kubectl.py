"""What people do with kubectl; with every installed kubectl where versions may differ."""

import json
import re
import signal
import subprocess
import time
import urllib.request

import pytest

from e2e.conftest import BUSYBOX, HELLO, Cluster, Kubectl, eventually, hello, service, shell_pod
from support.kubectls import kubectls


@pytest.fixture(params=kubectls(), ids=lambda path: path.rpartition("/")[2])
def any_kubectl(request: pytest.FixtureRequest, kubectl: Kubectl) -> Kubectl:
    """The test's namespace with each kubectl."""
    return Kubectl(kubectl.kubeconfig, kubectl.namespace, request.param)


def test_each_version_applies_rolls_execs_and_reads(any_kubectl: Kubectl) -> None:
    kubectl = any_kubectl
    assert "Server Version" in kubectl("version")
    kubectl.apply(hello(replicas=1), service())
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert "unchanged" in kubectl.apply(hello(replicas=1)) or "configured" in kubectl.apply(hello(replicas=1))
    pod = kubectl("get", "pods", "-l", "app=web", "-o", "name").strip()
    assert re.search(r"1/1 +Running", kubectl("get", "pods"))
    assert "web" in kubectl("exec", pod, "--", "hostname")
    assert kubectl.raw("exec", pod, "--", "sh", "-c", "exit 7").returncode == 7
    assert kubectl("exec", "-i", pod, "--", "cat", stdin="through the pipe\n") == "through the pipe\n"
    assert "Replicas:" in kubectl("describe", "deployment", "web")
    assert "FIELDS" in kubectl("explain", "deployment.spec.strategy")
    assert "deployments" in kubectl("api-resources")
    assert "apps/v1" in kubectl("api-versions")
    refused = kubectl.raw(
        "apply", "-f", "-", stdin='{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"foo":1}}'
    )
    assert refused.returncode == 1 and "foo" in refused.stderr


class TestReading:
    """get with all output formats."""

    @pytest.fixture(autouse=True)
    def _objects(self, kubectl: Kubectl) -> None:
        for name, tier in (("b", "back"), ("a", "front")):
            kubectl("create", "configmap", name, f"--from-literal=k={name}")
            kubectl("label", "configmap", name, f"tier={tier}")

    def test_outputs(self, kubectl: Kubectl) -> None:
        assert kubectl("get", "cm", "a", "-o", "jsonpath={.data.k}") == "a"
        assert "tier: front" in kubectl("get", "cm", "a", "-o", "yaml")
        assert kubectl.json("get", "cm", "a")["data"] == {"k": "a"}
        assert kubectl("get", "cm", "a", "-o", "name") == "configmap/a\n"
        assert "front" in kubectl("get", "cm", "-L", "tier")
        assert kubectl("get", "cm", "a", "-o", "custom-columns=N:.metadata.name", "--no-headers") == "a\n"
        assert kubectl("get", "cm", "a", "-o", "go-template={{.metadata.name}}") == "a"
        assert "AGE" in kubectl("get", "cm", "-o", "wide")

    def test_selection_and_order(self, kubectl: Kubectl) -> None:
        assert kubectl("get", "cm", "-l", "tier in (front),tier!=x", "-o", "name") == "configmap/a\n"
        assert kubectl("get", "cm", "--field-selector", "metadata.name=b", "-o", "name") == "configmap/b\n"
        names = kubectl("get", "cm", "-l", "tier", "--sort-by=.metadata.name", "-o", "name").split()
        assert names == ["configmap/a", "configmap/b"]
        assert kubectl.namespace in kubectl("get", "cm", "-A")
        refused = kubectl.raw("get", "cm", "--field-selector", "data.k=a")
        assert refused.returncode == 1 and "field label not supported" in refused.stderr

    def test_watch_sees_changes(self, kubectl: Kubectl) -> None:
        argv = kubectl.argv("get", "cm", "-w", "--output-watch-events", "-l", "tier=front", "--no-headers")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            assert watch.stdout.readline().startswith("ADDED")
            kubectl("annotate", "cm", "a", "x=1")
            assert watch.stdout.readline().startswith("MODIFIED")
            kubectl("label", "cm", "a", "tier=back", "--overwrite")
            assert watch.stdout.readline().startswith("DELETED")
            watch.kill()

    def test_not_found(self, kubectl: Kubectl) -> None:
        refused = kubectl.raw("get", "cm", "nothing")
        assert refused.stderr == 'Error from server (NotFound): configmaps "nothing" not found\n'


class TestChanging:
    """create, apply, patch, label, annotate, delete."""

    def test_create_with_every_generator(self, kubectl: Kubectl) -> None:
        kubectl("create", "secret", "generic", "s", "--from-literal=p=hush")
        assert kubectl("get", "secret", "s", "-o", "jsonpath={.data.p}") == "aHVzaA=="
        kubectl("create", "serviceaccount", "robot")
        assert kubectl("create", "token", "robot").count(".") == 2
        kubectl("create", "role", "r", "--verb=get", "--resource=pods")
        kubectl("create", "rolebinding", "rb", "--role=r", f"--serviceaccount={kubectl.namespace}:robot")
        user = f"system:serviceaccount:{kubectl.namespace}:robot"
        assert kubectl("auth", "can-i", "get", "pods", f"--as={user}") == "yes\n"
        assert kubectl.raw("auth", "can-i", "delete", "pods", f"--as={user}").stdout == "no\n"
        kubectl("create", "deployment", "d", f"--image={HELLO}")
        kubectl("create", "service", "clusterip", "c", "--tcp=80:8080")
        again = kubectl.raw("create", "serviceaccount", "robot")
        assert again.stderr == 'error: failed to create serviceaccount: serviceaccounts "robot" already exists\n'

    def test_apply_merges_by_name_and_keeps_fields_of_others(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=0))
        kubectl("set", "env", "deployment/web", "EXTRA=1")
        kubectl("annotate", "deployment", "web", "note=kept")
        changed = hello(replicas=0)
        changed["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"] = "RENAMED"
        kubectl.apply(changed)
        got = kubectl.json("get", "deployment", "web")
        names = {e["name"] for e in got["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert names == {"RENAMED", "NODE_NAME", "EXTRA"}
        assert got["metadata"]["annotations"]["note"] == "kept"

    def test_server_side_apply_names_the_owner_in_a_conflict(self, kubectl: Kubectl) -> None:
        def manifest(replicas: int) -> str:
            deployment = hello(replicas=replicas)
            del deployment["spec"]["template"]["spec"]["containers"][0]["env"]
            return json.dumps(deployment)

        apply = ("apply", "--server-side", "-f", "-")
        kubectl(*apply, "--field-manager=one", stdin=manifest(0))
        refused = kubectl.raw(*apply, "--field-manager=two", stdin=manifest(1))
        assert refused.returncode == 1
        assert 'Apply failed with 1 conflict: conflict with "one": .spec.replicas' in refused.stderr
        kubectl(*apply, "--field-manager=two", "--force-conflicts", stdin=manifest(1))
        assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "1"

    def test_diff_and_dry_run_change_nothing(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=0))
        before = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion} {.spec.paused}")
        changed = hello(replicas=0)
        changed["spec"]["paused"] = True
        shown = kubectl.raw("diff", "-f", "-", stdin=json.dumps(changed))
        assert shown.returncode == 1 and "+  paused: true" in shown.stdout
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(changed))
        after = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion} {.spec.paused}")
        assert before.split()[1:] == after.split()[1:] == []

    def test_three_types_of_patches(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=0))
        strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"web","imagePullPolicy":"Never"}]}}}}'
        kubectl("patch", "deployment", "web", "-p", strategic)
        kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"spec":{"minReadySeconds":3}}')
        kubectl(
            "patch",
            "deployment",
            "web",
            "--type=json",
            "-p",
            '[{"op":"replace","path":"/spec/minReadySeconds","value":4}]',
        )
        got = kubectl.json("get", "deployment", "web")["spec"]
        assert got["minReadySeconds"] == 4
        (container,) = got["template"]["spec"]["containers"]
        assert container["imagePullPolicy"] == "Never" and container["image"] == HELLO

    def test_delete_cascades_as_requested(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=1))
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        kubectl("delete", "deployment", "web", "--cascade=orphan")
        assert kubectl("get", "rs", "-o", "name").startswith("replicaset.apps/web-")
        kubectl("delete", "rs", "-l", "app=web", "--cascade=foreground", "--wait", "--timeout=60s")
        assert kubectl("get", "pods", "-l", "app=web", "-o", "name") == ""
        kubectl.apply(shell_pod(terminationGracePeriodSeconds=30))
        kubectl.wait("pod/client")
        start = time.monotonic()
        kubectl("delete", "pod", "client", "--grace-period=1", "--wait")
        assert time.monotonic() - start < 15
        kubectl.apply(shell_pod())
        kubectl("delete", "pod", "client", "--grace-period=0", "--force")

    def test_errors_name_the_invalid_field(self, kubectl: Kubectl) -> None:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name"}, "spec": {"containers": []}}
        refused = kubectl.raw("apply", "-f", "-", stdin=json.dumps(pod))
        assert refused.returncode == 1
        assert 'metadata.name: Invalid value: "Bad_Name"' in refused.stderr
        assert "spec.containers: Required value" in refused.stderr
        deployment = hello()
        deployment["spec"]["selector"]["matchLabels"] = {"app": "other"}
        refused = kubectl.raw("apply", "-f", "-", stdin=json.dumps(deployment))
        assert "`selector` does not match template `labels`" in refused.stderr


class TestRollouts:
    """The life cycle of Deployments."""

    def test_history_undo_pause_resume_restart(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=2))
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        kubectl("set", "image", "deployment/web", "web=docker.io/pybernetes/hello:latest")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        history = kubectl("rollout", "history", "deployment/web")
        assert re.search(r"^1 .*\n2 ", history, re.MULTILINE)
        kubectl("rollout", "undo", "deployment/web")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        assert kubectl("get", "deployment", "web", "-o", image) == HELLO
        kubectl("rollout", "pause", "deployment/web")
        kubectl("set", "env", "deployment/web", "A=1")
        assert len(kubectl("get", "rs", "-o", "name").split()) == 2
        kubectl("rollout", "resume", "deployment/web")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        kubectl("rollout", "restart", "deployment/web")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        assert len(kubectl("get", "rs", "-o", "name").split()) == 4

    def test_scale_and_expose(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=1))
        kubectl("scale", "deployment/web", "--replicas=3")
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
        kubectl.apply(shell_pod())
        kubectl.wait("pod/client")
        out = eventually(lambda: kubectl("exec", "client", "--", "wget", "-qO-", "http://web/"), what="an answer")
        assert "pod: web-" in out
        eventually(lambda: kubectl("get", "endpoints", "web").count(":8080") == 3, what="three endpoints")
        refused = kubectl.raw("scale", "deployment/web", "--current-replicas=9", "--replicas=1")
        assert refused.returncode == 1

    def test_an_image_that_cannot_be_pulled_is_reported(self, kubectl: Kubectl) -> None:
        kubectl("run", "bad", "--image=localhost:1/nothing:1", "--restart=Never")
        eventually(
            lambda: re.search("ErrImagePull|ImagePullBackOff", kubectl("get", "pod", "bad")), what="ErrImagePull"
        )
        assert "Failed to pull image" in eventually(lambda: kubectl("describe", "pod", "bad"))


def _containing(text: str, word: str) -> str:
    return text if word in text else ""


class TestPods:
    """Commands in pods."""

    def test_logs(self, kubectl: Kubectl) -> None:
        script = "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 2; echo late; sleep 3600"
        kubectl.apply(shell_pod("talker", script=script))
        kubectl.wait("pod/talker")
        argv = kubectl.argv("logs", "-f", "talker")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as follow:
            assert follow.stdout is not None
            seen = [follow.stdout.readline().strip() for _ in range(7)]
            assert sorted(seen[:6]) == sorted(["line 1", "line 2", "line 3", "line 4", "line 5", "oops"])
            assert seen[6] == "late"
            follow.kill()
        assert kubectl("logs", "talker", "--tail=1") == "late\n"
        # stdout and stderr are two pipes, so the order between their lines is not defined.
        assert "line 1\nline 2\n" in kubectl("logs", "talker", "--since=1h").replace("oops\n", "")
        assert re.match(r"\d{4}-\d\d-\d\dT\S+Z late", kubectl("logs", "talker", "--tail=1", "--timestamps"))
        assert len(kubectl("logs", "talker", "--limit-bytes=4")) == 4

    def test_previous_logs_of_a_container_that_restarted(self, kubectl: Kubectl) -> None:
        kubectl.apply(shell_pod("flaky", script="echo I was here; sleep 1; exit 3"))
        eventually(lambda: kubectl("get", "pod", "flaky", "-o", "jsonpath={..restartCount}") not in ("", "0"))
        assert eventually(lambda: kubectl("logs", "-p", "flaky")) == "I was here\n"
        last = kubectl.json("get", "pod", "flaky")["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (3, "Error")
        eventually(lambda: "CrashLoopBackOff" in kubectl("get", "pod", "flaky"), what="CrashLoopBackOff")

    def test_exec_with_a_terminal(self, kubectl: Kubectl) -> None:
        kubectl.apply(shell_pod())
        kubectl.wait("pod/client")
        command = " ".join([*kubectl.argv("exec", "-it", "client", "--", "sh", "-c", "'tty && stty size; exit 5'")])
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=False, timeout=30
        )
        assert "/dev/pts/" in done.stdout and done.returncode == 5

    def test_cp_in_both_directions(self, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> None:
        kubectl.apply(shell_pod())
        kubectl.wait("pod/client")
        here = tmp_path_factory.mktemp("cp")
        (here / "in.bin").write_bytes(bytes(range(256)) * 4000)
        kubectl("cp", str(here / "in.bin"), "client:/tmp/there.bin")
        kubectl("cp", "client:/tmp/there.bin", str(here / "out.bin"))
        assert (here / "out.bin").read_bytes() == (here / "in.bin").read_bytes()

    def test_port_forward(self, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=1), service())
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        argv = kubectl.argv("port-forward", "service/web", ":80")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as forward:
            assert forward.stdout is not None
            match = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert match is not None
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{match[1]}/", timeout=10) as answer:
                    assert b"pod: web-" in answer.read()
            forward.send_signal(signal.SIGTERM)

    def test_run_and_attach(self, kubectl: Kubectl) -> None:
        out = kubectl(
            "run",
            "once",
            f"--image={BUSYBOX}",
            "--restart=Never",
            "--rm",
            "-i",
            "--quiet",
            "--",
            "sh",
            "-c",
            "cat",
            stdin="hello there\n",
        )
        assert "hello there" in out

    def test_ephemeral_debug_container(self, kubectl: Kubectl) -> None:
        kubectl.apply(shell_pod())
        kubectl.wait("pod/client")
        kubectl(
            "debug", "client", f"--image={BUSYBOX}", "--container=dbg", "--", "sh", "-c", "echo debugging; sleep 60"
        )
        assert eventually(lambda: kubectl("logs", "client", "-c", "dbg")) == "debugging\n"

    def test_describe_shows_events_and_state(self, kubectl: Kubectl) -> None:
        kubectl.apply(shell_pod())
        kubectl.wait("pod/client")
        text = eventually(lambda: _containing(kubectl("describe", "pod", "client"), "Started"))
        for word in ("Scheduled", "Pulled", "Created", "Started", "QoS Class:", "BestEffort", "Container ID:"):
            assert word in text
        assert "Started" in kubectl("events", "--for", "pod/client")
        assert "Scheduled" in kubectl("get", "events", "--field-selector", "involvedObject.name=client")


class TestNodes:
    """taint, cordon, drain."""

    def test_cordon_drain_uncordon(self, cluster: Cluster, kubectl: Kubectl) -> None:
        kubectl.apply(hello(replicas=3, terminationGracePeriodSeconds=3))
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        try:
            kubectl("drain", "node-3", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=60s")
            assert "SchedulingDisabled" in kubectl("get", "node", "node-3")
            kubectl("rollout", "status", "deployment/web", "--timeout=60s")
            running = kubectl.json("get", "pods", "-l", "app=web")["items"]
            assert "node-3" not in {p["spec"]["nodeName"] for p in running if "deletionTimestamp" not in p["metadata"]}
        finally:
            kubectl("uncordon", "node-3")

    def test_taints_repel_pods_with_a_message(self, kubectl: Kubectl) -> None:
        for node in ("node-1", "node-2", "node-3"):
            kubectl("taint", "node", node, "e2e=yes:NoSchedule")
        try:
            kubectl.apply(shell_pod())
            why = eventually(
                lambda: kubectl(
                    "get", "events", "--field-selector", "reason=FailedScheduling", "-o", "jsonpath={.items[0].message}"
                )
            )
            assert why.startswith("0/3 nodes are available: 3 node(s) had untolerated taint")
        finally:
            for node in ("node-1", "node-2", "node-3"):
                kubectl("taint", "node", node, "e2e-")
        kubectl.wait("pod/client")

    def test_cluster_info_and_node_description(self, kubectl: Kubectl) -> None:
        assert "Kubernetes control plane" in kubectl("cluster-info")
        text = kubectl("describe", "node", "node-1")
        for word in ("Allocatable:", "PodCIDR:", "KubeletReady", "containerd://"):
            assert word in text
