"""Pods that send requests continuously and count every failure."""

import time
from types import TracebackType
from typing import NamedTuple

from e2e.conftest import Kubectl, eventually, shell_pod

#: One loop per target. It prints a line per response and a line with the reason per failure, so that no event is lost
#: between two reads. `wget -T` crashes in Debian's static busybox, hence `timeout`.
_LOOP = """
ask() {
  while :; do
    body=$(timeout 3 wget -qO- "$2" 2>&1); code=$?
    if [ $code = 0 ]; then echo "$body" | sed -n 's/^pod: //p' >>"/tmp/ok-$1"
    else echo "$1 $(date +%T) exit $code: $body" >>/tmp/failed; fi
    sleep PAUSE
  done
}
touch /tmp/failed
"""


class Tally(NamedTuple):
    """The results of a traffic source so far."""

    answered: dict[str, int]
    """Responses by target."""
    pods: set[str]
    """The pods that responded."""
    failures: list[str]


class Traffic:
    """One client pod per node; each sends requests to every target, one after the other."""

    def __init__(self, kubectl: Kubectl, nodes: list[str], targets: dict[str, str], *, pause: float = 0.1) -> None:
        self._kubectl = kubectl
        self._pods = {node: f"asks-{node}" for node in nodes}
        self._targets = targets
        self._pause = pause

    def __enter__(self) -> "Traffic":
        loops = "\n".join(f"ask {name} {url} &" for name, url in self._targets.items())
        script = f"trap exit TERM\n{_LOOP.replace('PAUSE', str(self._pause))}\n{loops}\nwait"
        self._kubectl.apply(*(shell_pod(pod, node, script) for node, pod in self._pods.items()))
        for pod in self._pods.values():
            self._kubectl.wait(f"pod/{pod}")
        self.answered_once()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kubectl("delete", "pod", "--wait=false", *self._pods.values())

    def answered_once(self) -> None:
        """Wait until each client has a response from each target, then reset the failures."""
        for node in self._pods:
            eventually(
                lambda node=node: len(self.tally(node).answered) == len(self._targets), what=f"answers on {node}"
            )
        for pod in self._pods.values():
            self._kubectl("exec", pod, "--", "sh", "-c", "rm -f /tmp/ok-*; : >/tmp/failed")

    def tally(self, node: str) -> Tally:
        """The results of one node's client."""
        script = "cd /tmp; grep '' /dev/null failed ok-* 2>/dev/null || true"
        text = self._kubectl("exec", self._pods[node], "--", "sh", "-c", script)
        answered: dict[str, int] = {}
        pods, failures = set(), []
        for line in text.splitlines():
            file, _, rest = line.partition(":")
            if file == "failed":
                failures.append(f"{node}: {rest}")
            else:
                target = file.removeprefix("ok-")
                answered[target] = answered.get(target, 0) + 1
                pods.add(rest)
        return Tally(answered, pods, failures)

    def tallies(self) -> list[Tally]:
        """The results of every node's client."""
        return [self.tally(node) for node in self._pods]

    def check(self, least: int = 10) -> set[str]:
        """No failed request, and at least `least` responses per node and target. Returns the pods that responded."""
        time.sleep(0.2)
        found = self.tallies()
        assert [line for tally in found for line in tally.failures] == []
        for tally in found:
            assert set(tally.answered) == set(self._targets) and min(tally.answered.values()) >= least, tally.answered
        return {pod for tally in found for pod in tally.pods}


def ways_to(kubectl: Kubectl, name: str, node_address: str) -> dict[str, str]:
    """The URLs of a NodePort Service: its cluster IP, a node's port, and its DNS name."""
    spec = kubectl.json("get", "service", name)["spec"]
    return {
        "cluster-ip": f"http://{spec['clusterIP']}/",
        "node-port": f"http://{node_address}:{spec['ports'][0]['nodePort']}/",
        "name": f"http://{name}.{kubectl.namespace}.svc.cluster.local/",
    }
