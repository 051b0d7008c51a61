"""What the previous run of this daemon left in the kernel: which backends it used, and for which peers.

A daemon may be killed while its network changes its backend. The next run does not remember the old backend, but its
devices, neighbours, keys and policies are still there, and packets may still arrive by them. What the kernel does not
show is lost: ipsec's secret, so that its tunnels serve as they are, and no charon renews them.
"""

from collections.abc import Collection, Sequence

from pybernetes.flannel.kernel.kind import AnyKind, Recovery
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import Lease


def recover(kinds: Sequence[AnyKind], have: Observed, leases: Collection[Lease]) -> Recovery:
    """Ask every kind, given the leases of this moment."""
    found = [kind.recover(have, leases) for kind in kinds]
    options = {name: values for part in found for name, values in part.options.items()}
    return Recovery(
        options,
        tuple(lease for part in found for lease in part.leases),
        tuple(device for part in found for device in part.devices),
        tuple(have.addresses),
    )
