"""Garbage collection of a pod's exited containers and old sandboxes. Pure.

The latest two instances of each container are kept; `kubectl logs -p` shows the older one. The latest sandbox is
kept, and each sandbox that contains a container that is kept.
"""

from pybernetes.kubelet.runtime import ContainerInfo, PodState, Sandbox

_KEPT = 2


def garbage(state: PodState) -> tuple[list[ContainerInfo], list[Sandbox]]:
    """The containers and sandboxes to remove."""
    kept: dict[str, int] = {}
    dead: list[ContainerInfo] = []
    holding = set()
    for info in state.containers:
        kept[info.name] = kept.get(info.name, 0) + 1
        if kept[info.name] > _KEPT and info.state == "exited":
            dead.append(info)
        else:
            holding.add(info.sandbox_id)
    return dead, [s for s in state.sandboxes[1:] if not s.ready and s.id not in holding]
