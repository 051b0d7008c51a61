"""Any configuration, previous result, capability and argument, for all plugins: a result or an error object.

The plugins run in a namespace that is both node and pod, so that every accepted configuration is carried out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.cni import errors, main
from pybernetes.cni.plugins import PLUGINS
from pybernetes.linux import netns

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)

CIDRS = [
    "10.7.0.0/24",
    "10.7.0.2/24",
    "fd00:7::/64",
    "fd00:7::2/64",
    "0.0.0.0/0",
    "::/0",
    "10.7.0.0/31",
    "10.7.0.300/8",
]
ADDRESSES = ["10.7.0.1", "10.7.0.9", "fd00:7::1", "0.0.0.0", "127.0.0.1", "::", "nowhere", ""]
GOOD: list[Any] = [
    *CIDRS,
    *ADDRESSES,
    True,
    False,
    0,
    1,
    80,
    1400,
    70000,
    -1,
    1 << 40,
    "lo",
    "eth0",
    "x" * 40,
    "é",
    "\ud800",
]
VALUES = st.sampled_from(GOOD) | JSON


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of the fields, each nearly valid or of any type."""
    return st.fixed_dictionaries({}, optional={key: mostly(field) for key, field in fields.items()})


def several(item: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(mostly(item), max_size=2)


def mostly(field: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Every eighth value is arbitrary JSON: with more, plugins would refuse nearly everything at once."""
    return st.integers(0, 7).flatmap(lambda dice: field if dice else JSON)


ROUTE = some(dst=st.sampled_from(CIDRS), gw=st.sampled_from(ADDRESSES), mtu=VALUES, table=VALUES, scope=VALUES)
RANGE = some(subnet=st.sampled_from(CIDRS), rangeStart=VALUES, rangeEnd=VALUES, gateway=st.sampled_from(ADDRESSES))
ADDRESS = some(address=st.sampled_from(CIDRS), gateway=st.sampled_from(ADDRESSES), interface=VALUES)
DNS = some(nameservers=several(VALUES), domain=VALUES, search=VALUES)
IPAM = some(
    type=st.sampled_from(["host-local", "static", "nowhere", "../x", "bridge"]),
    subnet=st.sampled_from(CIDRS),
    ranges=several(several(RANGE)),
    addresses=several(ADDRESS),
    routes=several(ROUTE),
    dns=DNS,
    resolvConf=VALUES,
)
INTERFACE = some(name=VALUES, mac=VALUES, sandbox=VALUES, mtu=VALUES)
RESULT = some(
    cniVersion=st.sampled_from(["0.3.1", "1.0.0", "9"]),
    interfaces=several(INTERFACE),
    ips=several(ADDRESS),
    routes=several(ROUTE),
    dns=DNS,
)
PORT = some(hostPort=VALUES, containerPort=VALUES, protocol=st.sampled_from(["tcp", "udp", "sctp", "x"]), hostIP=VALUES)
LIMITS = some(
    ingressRate=VALUES, ingressBurst=VALUES, egressRate=VALUES, egressBurst=VALUES, shapedSubnets=several(VALUES)
)
RUNTIME = some(
    portMappings=several(PORT), ips=several(VALUES), ipRanges=several(several(RANGE)), mac=VALUES, bandwidth=LIMITS
)
WORDS = ["mtu", "vlan", "isGateway", "isDefaultGateway", "ipMasq", "forceAddress", "hairpinMode", "promiscMode", "mac"]
WORDS += ["portIsolation", "enabledad", "macspoofchk", "disableContainerInterface", "preserveDefaultVlan", "promisc"]
WORDS += ["allmulti", "txQLen", "mode", "master", "linkInContainer", "bcqueuelen", "snat", "masqAll", "markMasqBit"]
WORDS += ["externalSetMarkChain", "conditionsV4", "conditionsV6", "ingressRate", "egressBurst", "unshapedSubnets"]
CONFIG = some(
    **{word: VALUES for word in WORDS},
    cniVersion=st.sampled_from(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", "2.0.0"]),
    ipam=IPAM,
    delegate=some(type=VALUES, ipMasq=VALUES, isGateway=VALUES, name=VALUES),
    prevResult=RESULT,
    runtimeConfig=RUNTIME,
    args=some(cni=some(mac=VALUES, ips=several(VALUES), mtu=VALUES, sysctl=some(x=VALUES))),
    backend=st.sampled_from(["iptables", "nftables", "pf"]),
    ipMasqBackend=st.sampled_from(["iptables", "nftables", "pf"]),
    vlanTrunk=several(some(id=VALUES, minID=VALUES, maxID=VALUES)),
    sysctl=st.dictionaries(
        st.sampled_from(["net.core.somaxconn", "net.ipv4.conf.IFNAME.rp_filter", "kernel.x"]), VALUES
    ),
    **{"cni.dev/valid-attachments": several(some(containerID=VALUES, ifname=VALUES))},
)
ARGS = st.sampled_from(["", "IP=10.7.0.9", "IP=10.7.0.9/24;GATEWAY=10.7.0.1", "MAC=zz", "IgnoreUnknown=1", ";;=;"])
COMMANDS = ["ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"]


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    name = f"pbt-fuzz-{os.getpid()}"
    netns.create(name)
    yield name
    netns.delete(name)


def _confined(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with all of its directories below `folder`."""
    ipam = config.get("ipam")
    if isinstance(ipam, dict):
        config["ipam"] = {**ipam, "dataDir": str(folder / "networks")}
    env = "FLANNEL_NETWORK=10.7.0.0/16\nFLANNEL_SUBNET=10.7.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    (folder / "subnet.env").write_text(env)
    return {**config, "dataDir": str(folder / "data"), "subnetFile": str(folder / "subnet.env")}


@pytest.mark.parametrize("plugin", PLUGINS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(config=CONFIG, args=ARGS, commands=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=3))
def test_every_call_returns_a_result_or_an_error_object(
    place: str, tmp_path: Path, plugin: str, config: dict[str, Any], args: str, commands: list[str]
) -> None:
    complete = _confined({"cniVersion": "1.1.0", "name": "fuzz", "type": plugin, **config}, tmp_path)
    stdin = json.dumps(complete).encode()
    env = {
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": netns.path_of(place),
        "CNI_IFNAME": "fz0",
        "CNI_PATH": str(tmp_path),
        "CNI_ARGS": args,
    }
    for command in [*commands, "DEL"]:
        call = {**env, "CNI_COMMAND": command}
        out, code = netns.run_in(place, lambda call=call: main.run(plugin, call, stdin))  # type: ignore[misc]
        assert code in (0, 1)
        if code:
            answer = json.loads(out.encode("utf-8", "replace"))
            assert answer["code"] > 0 and answer["msg"] and answer["code"] != errors.UNEXPECTED, (command, answer)
        elif command == "ADD":
            assert json.loads(out.encode("utf-8", "replace"))["cniVersion"] == (complete["cniVersion"] or "0.3.0")
