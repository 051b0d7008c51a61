"""Bridges with VLAN filtering, which the host's kernel may lack, in Debian's cloud kernel."""

from pathlib import Path

import pytest

from vm import machine
from vm.test_other_kernel import vm_tests


@pytest.mark.vm
@pytest.mark.slow
def test_bridge_vlan() -> None:
    """The CNI plugin: access ports, trunks, gateways, compared with the stock plugin."""
    tools = [Path("/usr/lib/cni/bridge"), Path("/usr/lib/cni/host-local"), Path("/usr/sbin/bridge").resolve()]
    world = [machine.REPOSITORY / "tests" / "cni" / name for name in ("__init__.py", "cni_world.py")]
    modules = ("veth", "bridge", "8021q")
    vm_tests("tests/vm/inside/test_bridge_vlan.py", *modules, timeout=400, files=[*tools, *world])
