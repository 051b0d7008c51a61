"""The cgroups of pods: one per QoS class and one per pod, in kubelet's layout.

Guaranteed pods are directly below `kubepods`, the others below `kubepods/burstable` and `kubepods/besteffort`.
"""

import errno
import time

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.podspec import qos_class
from pybernetes.kubelet.resources import pod_limits
from pybernetes.linux.cgroup import Cgroup, Hierarchy, Limits, detect

_CLASSES = {"Guaranteed": "", "Burstable": "/burstable", "BestEffort": "/besteffort"}
_REMOVE_TIMEOUT = 2.0


class PodCgroups:
    """Creates and removes the cgroups of pods below `root`."""

    def __init__(self, root: str, hierarchy: Hierarchy | None = None) -> None:
        self._base = "/" + "/".join(part for part in (root.strip("/"), "kubepods") if part)
        self._hierarchy = hierarchy or detect()
        self._prepared = False

    def parent(self, pod: Pod) -> str:
        """`/kubepods/burstable/pod<uid>`"""
        return f"{self._base}{_CLASSES[qos_class(pod)]}/pod{pod.metadata.uid}"

    def create(self, pod: Pod) -> None:
        """Create the pod's cgroup and set its limits."""
        if not self._prepared:
            self._prepare()
        group = Cgroup(self.parent(pod), self._hierarchy)
        group.create()
        self._limit(group, pod_limits(pod))

    def _prepare(self) -> None:
        for name in _CLASSES.values():
            Cgroup(self._base + name, self._hierarchy).create()
        self._limit(Cgroup(self._base + "/besteffort", self._hierarchy), Limits(cpu_shares=2))
        self._prepared = True

    def _limit(self, group: Cgroup, limits: Limits) -> None:
        try:
            group.set_limits(limits)
        except OSError as error:
            # The kernel may lack a controller (no swap accounting, no CFS quota): run the pod without that limit.
            if error.errno not in (errno.ENOENT, errno.EINVAL, errno.EACCES):
                raise

    def remove(self, uid: str) -> None:
        """Kill the processes that are left of a pod and remove its cgroup. The pod's QoS class need not be known."""
        for name in _CLASSES.values():
            group = Cgroup(f"{self._base}{name}/pod{uid}", self._hierarchy)
            if group.exists():
                self._remove(group)

    def _remove(self, group: Cgroup) -> None:
        if group.pids(recursive=True):
            group.kill()
        deadline = time.monotonic() + _REMOVE_TIMEOUT
        while True:
            try:
                group.remove()
                return
            except OSError as error:
                # The kernel releases a cgroup shortly after its last process has exited.
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)


class NoCgroups:
    """For a runtime that creates its own cgroups, or none."""

    def parent(self, pod: Pod) -> str:
        """Empty: the runtime's default."""
        return ""

    def create(self, pod: Pod) -> None:
        """Creates nothing."""

    def remove(self, uid: str) -> None:
        """Removes nothing."""
