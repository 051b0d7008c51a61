"""Which of a pod's ended containers and old sandboxes are kept. Pure.

Of each container the newest is kept, and the one before it for `kubectl logs -p`; of sandboxes the newest, and those
that still hold a container that is kept.
"""

from pybernetes.kubelet.runtime import ContainerInfo, PodState, Sandbox

_KEPT = 2


def garbage(state: PodState) -> tuple[list[ContainerInfo], list[Sandbox]]:
    """(containers, sandboxes) to be removed."""
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
