"""Which leases are usable: the fast method for disjoint leases gives the result of the slow one."""

import ipaddress
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.flannel.backends import BACKENDS, exclusive
from pybernetes.flannel.config import parse
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.lease_conflicts import LeaseConflicts
from pybernetes.flannel.network import Memo, usable

CONFIG = parse(
    '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48","Backend":{"Type":"vxlan"}}',
    frozenset(BACKENDS),
)


def lease(node: str, backend: str, four: int, length: int, six: int, host: int, mac: int) -> Lease:
    data = {"VNI": 1, "VtepMAC": f"02:00:00:00:00:{mac:02X}"} if mac else {}
    subnet = ipaddress.ip_network((0x0AF40000 + four * 256, length), strict=False)
    parts = [FamilyLease(subnet, ipaddress.ip_address(f"192.0.2.{host}"), data)]
    if six:
        subnet6 = ipaddress.ip_network(f"fd00:244:0:{six:x}::/64")
        parts.append(FamilyLease(subnet6, ipaddress.ip_address(f"2001:db8::{host:x}"), data))
    return Lease(node, backend, tuple(parts))


OWN = lease("node-0", "vxlan", 0, 24, 1, 1, 1)
LEASES = st.lists(
    st.builds(
        lease,
        st.sampled_from([f"node-{n}" for n in range(12)]),
        st.sampled_from(["vxlan", "host-gw", "unheard-of"]),
        st.integers(0, 40),
        st.sampled_from([24, 24, 24, 23, 25]),
        st.integers(0, 40),
        st.integers(1, 40),
        st.integers(0, 40),
    ),
    unique_by=lambda made: made.node,
    max_size=12,
)


def the_long_way(leases: list[Lease]) -> list[str]:
    conflicts, served = LeaseConflicts(partial(exclusive, BACKENDS)), []
    conflicts.take(OWN)
    cut = {f.subnet.version: f.subnet.prefixlen for f in OWN.families}
    odd = {made.node: any(f.subnet.prefixlen != cut[f.subnet.version] for f in made.families) for made in leases}
    for made in sorted(leases, key=lambda made: (odd[made.node], made.node)):
        alone, _ = usable(CONFIG, OWN, [made])
        if alone and not conflicts.fault(made, {4, 6}):
            conflicts.take(made)
            served.append(made.node)
    return sorted(served)


@settings(max_examples=40, deadline=None)
@given(LEASES, LEASES)
def test_both_methods_find_the_same(first: list[Lease], second: list[Lease]) -> None:
    memo = Memo()
    for leases in (first, second):
        peers, problems = usable(CONFIG, OWN, leases, memo)
        assert sorted(peer.node for peer in peers) == the_long_way(leases)
        refused = {made.node for made in leases} - {peer.node for peer in peers} - {OWN.node}
        assert {problem.partition(":")[0] for problem in problems} == refused
