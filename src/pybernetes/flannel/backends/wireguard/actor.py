"""Finds out this node's public key before it is announced."""

import asyncio
from collections.abc import Mapping, Sequence

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.wireguard.key_file import KeyFile
from pybernetes.flannel.backends.wireguard.names import NAME, PUBLIC_KEY
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Node


class KeyActor(Actor):
    """Makes the key file if there is none."""

    def __init__(self, key: KeyFile) -> None:
        self._key = key

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        return {PUBLIC_KEY: await asyncio.to_thread(self._key.public)} if config.backend == NAME else {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        return ()
