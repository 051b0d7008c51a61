"""All actors: what backends need beside the kernel."""

from collections.abc import Sequence
from pathlib import Path

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.bgp.actor import BirdActor
from pybernetes.flannel.backends.extension.actor import ExtensionActor
from pybernetes.flannel.backends.ipsec.actor import CharonActor
from pybernetes.flannel.backends.udp.actor import UdpActor
from pybernetes.flannel.transition.orphans import OrphansActor


def make_actors(netns: str | None, folder: Path) -> Sequence[Actor]:
    """Each is idle until a backend asks for something; what it keeps in files is in `folder`."""
    return (
        OrphansActor(netns),
        UdpActor(netns),
        ExtensionActor(netns),
        BirdActor(folder / "bird", netns),
        CharonActor(folder / "charon", netns),
    )
