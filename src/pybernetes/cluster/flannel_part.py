"""Assemble flanneld with any subnet manager. A separate module, so that flanneld with etcd imports no API client."""

import random

from pybernetes.flannel.daemon import Facts, Flanneld
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.manager import SubnetManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import configured


def flannel_with(options: FlannelOptions, manager: SubnetManager, facts: Facts | None = None) -> Flanneld:
    """flanneld for the network namespace of this process, with its leases in `manager`."""
    return Flanneld(
        options,
        manager,
        rules=configured(masquerade=options.ip_masq, forward=options.forward_rules, random=options.random_ports),
        drift=KernelDrift(),
        facts=facts,
        rng=random.Random(),
    )
