"""All kinds of kernel objects, and functions that read and change a namespace with them."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from pybernetes.flannel.backends import kernel_kinds
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.kernel import reconcile as kernel
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.kernel.routes import DaemonRoute
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.reconciler import PassOutcome
from pybernetes.flannel.reconciler import reconcile as one_pass
from pybernetes.flannel.transition.transition import Transition
from pybernetes.linux.link import Link
from pybernetes.linux.route import Route
from pybernetes.linux.rtnl import Netlink

OPTIONS = FlannelOptions(node_name="", wireguard_key=Path("/nonexistent"))
KINDS = kernel_kinds(OPTIONS)


def is_ours(found: Link) -> bool:
    return any(kind.is_ours(found) for kind in KINDS)


def observe(nl: Netlink) -> Observed:
    return kernel.observe(nl, KINDS)


def reconcile(nl: Netlink, want: Desired) -> PassOutcome:
    return one_pass(nl, KINDS, want, time.time())


def seen(*objects: object, links: Mapping[str, Link] | Iterable[Link] = ()) -> Observed:
    """The observed state with these objects."""
    known = dict(links) if isinstance(links, Mapping) else {li.name: li for li in links}
    ours = [name for name, li in known.items() if is_ours(li)]
    return Observed.of_objects(objects, known, ours)


def learned(have: Observed) -> list[Route]:
    """Routes that BIRD installed."""
    return [found.route for found in have.of(DaemonRoute)]


def transition(seconds: float) -> Transition:
    """The transition state of a daemon with all backends."""
    from pybernetes.flannel.backends import BACKENDS

    return Transition(seconds, backends=BACKENDS, replaced={VxlanLink: "vxlan"})
