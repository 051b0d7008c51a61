"""flanneld on the process's network namespace, wherever its leases are. Alone, so that flanneld loads no more."""

import random

from pybernetes.flannel.daemon import Facts, Flanneld
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.manager import SubnetManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import configured


def flannel_with(options: FlannelOptions, manager: SubnetManager, facts: Facts | None = None) -> Flanneld:
    """flanneld with its leases wherever the manager keeps them, on the process's network namespace."""
    return Flanneld(
        options,
        manager,
        rules=configured(masquerade=options.ip_masq, forward=options.forward_rules, random=options.random_ports),
        drift=KernelDrift(),
        facts=facts,
        rng=random.Random(),
    )
