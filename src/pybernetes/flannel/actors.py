"""All actors: what backends need beside the kernel."""

from collections.abc import Sequence
from pathlib import Path

from pybernetes.flannel.actor import Actor
from pybernetes.flannel.bgp.actor import BirdActor
from pybernetes.flannel.extension_actor import ExtensionActor
from pybernetes.flannel.ipsec.actor import CharonActor
from pybernetes.flannel.orphans_actor import OrphansActor
from pybernetes.flannel.udp.actor import UdpActor


def make_actors(netns: str | None, folder: Path) -> Sequence[Actor]:
    """Each is idle until a backend asks for something; what it keeps in files is in `folder`."""
    return (
        OrphansActor(netns),
        UdpActor(netns),
        ExtensionActor(netns),
        BirdActor(folder / "bird", netns),
        CharonActor(folder / "charon", netns),
    )
