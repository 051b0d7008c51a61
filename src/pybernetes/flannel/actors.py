"""All actors: what backends need beside the kernel."""

from collections.abc import Sequence

from pybernetes.flannel.actor import Actor
from pybernetes.flannel.extension_actor import ExtensionActor
from pybernetes.flannel.udp_actor import UdpActor


def make_actors(netns: str | None) -> Sequence[Actor]:
    """Each is idle until a backend asks for something."""
    return (UdpActor(netns), ExtensionActor(netns))
