"""The settings of portmap, tuning, bandwidth, macvlan, static and host-local take effect, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.cni_world import World
from cni.test_cni_portmap import RESULT, WEB, Network, config
from pybernetes.cni import (
    bandwidth,
    macvlan,
    port_mapping,
    portmap_iptables,
    portmap_nft,
    result,
    spec,
    static,
    tuning,
)
from pybernetes.cni.errors import CniError
from pybernetes.cni.port_mapping import PortmapConfig
from pybernetes.cni.settings import Settings
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink


# -- portmap ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"backend": "pf"}, "unknown portmap backend"),
        ({"markMasqBit": 32}, "markMasqBit: expected a number from 0 to 31"),
        ({"markMasqBit": "x"}, "markMasqBit: expected a number from 0 to 31"),
        ({"markMasqBit": 1, "externalSetMarkChain": "X"}, "Cannot specify externalSetMarkChain and markMasqBit"),
        ({"externalSetMarkChain": "a b"}, "expected the name of a chain"),
        ({"conditionsV4": "-d"}, "conditionsV4: expected a list of strings"),
        ({"conditionsV6": ["a\nb"]}, "conditionsV6: expected a list of words"),
        ({"conditionsV4": ["ip", "daddr"], "markMasqBit": 3}, "settings of both backends"),
        ({"conditionsV4": ["!", "-d", "192.0.2.0/24"], "backend": "nftables"}, "backend nftables cannot use settings"),
        ({"snat": "no"}, "snat: expected true or false"),
        ({"masqAll": 1}, "masqAll: expected true or false"),
    ],
)
def test_invalid_portmap_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message) as caught:
        PortmapConfig(Settings(settings))
    assert caught.value.code == 7


@pytest.mark.parametrize(
    "settings, backend",
    [
        ({"markMasqBit": 5}, "iptables"),
        ({"externalSetMarkChain": "KUBE-MARK-MASQ"}, "iptables"),
        ({"conditionsV4": ["-s", "10.0.0.0/8"]}, "iptables"),
        ({"conditionsV6": ["ip6", "saddr", "fd00::/8"]}, "nftables"),
        ({"backend": "iptables"}, "iptables"),
    ],
)
def test_settings_select_the_backend(settings: dict[str, Any], backend: str) -> None:
    assert PortmapConfig(Settings(settings)).backend == backend


def _iptables(**settings: Any) -> str:
    call = spec.Call("ADD", {"name": "n", "runtimeConfig": {"portMappings": [WEB]}, **settings}, container_id="c")
    found = [m for m in port_mapping.mappings(call.runtime, result.read(RESULT, "x")) if m.family == 4]
    return portmap_iptables.script(call, PortmapConfig(call.settings), found, [])


def test_portmap_settings_in_iptables() -> None:
    plain = _iptables()
    assert "-s 10.0.0.0/24 -p tcp --dport 8080 -j CNI-HOSTPORT-SETMARK" in plain and "0x2000/0x2000" in plain
    assert "SETMARK" not in _iptables(snat=False).partition(":CNI-DN")[2].partition("-A PREROUTING")[2]
    assert "\n-A CNI-DN-" in (everyone := _iptables(masqAll=True)) and " -s " not in everyone
    assert "0x20/0x20" in _iptables(markMasqBit=5)
    external = _iptables(externalSetMarkChain="KUBE-MARK-MASQ")
    assert "-j KUBE-MARK-MASQ" in external and "CNI-HOSTPORT-SETMARK" not in external and "POSTROUTING" not in external
    assert '--destination-ports 8080 "!" "-d" "192.0.2.0/24" -j' in _iptables(conditionsV4=["!", "-d", "192.0.2.0/24"])


@pytest.mark.kernel
@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_conditions_limit_mappings(world: World, backend: str) -> None:
    network = Network(world)
    words = {"nftables": ["ip", "saddr", "!=", "192.0.2.2"], "iptables": ["!", "-s", "192.0.2.2"]}[backend]
    try:
        wanted = config(network.result, backend, WEB, conditionsV4=words)
        world.call("portmap", "ADD", wanted, "a")
        assert network.ask("client", "192.0.2.1", 8080) == "ConnectionRefusedError"
        assert network.ask("node", "127.0.0.1", 8080) == "172.20.1.1"
        world.call("portmap", "DEL", wanted, "a")
        wanted = config(network.result, backend, WEB, masqAll=True)
        world.call("portmap", "ADD", wanted, "a")
        assert network.ask("client", "192.0.2.1", 8080) == "172.20.1.1", "the source of every client is the node"
        world.call("portmap", "DEL", wanted, "a")
    finally:
        network.close()


@pytest.mark.kernel
@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_sctp_and_ipv6_get_their_rules(world: World, backend: str) -> None:
    ports = [{**WEB, "protocol": "sctp"}, {**WEB, "hostPort": 8081, "hostIP": "fd00::1"}]
    wanted = config(RESULT, backend, *ports)
    world.call("portmap", "ADD", wanted, "a")
    world.call("portmap", "CHECK", wanted, "a")
    rules = world.run("node", "nft", "list", "ruleset")
    rules += world.run("node", "iptables-save") + world.run("node", "ip6tables-save")
    assert "sctp" in rules and "fd00::2]:80" in rules and "fd00::1" in rules
    world.call("portmap", "DEL", wanted, "a")
    assert world.fails("portmap", "CHECK", wanted, "a")["code"] == 102


def test_nft_conditions_precede_every_rule() -> None:
    settings = {"name": "n", "runtimeConfig": {"portMappings": [WEB]}, "conditionsV4": ["ip", "saddr", "10.1.0.0/16"]}
    call = spec.Call("ADD", settings, container_id="c")
    found = [m for m in port_mapping.mappings(call.runtime, result.read(RESULT, "x")) if m.family == 4]
    script = portmap_nft.mapping_script(call, PortmapConfig(call.settings), found, set())
    rules = [line for line in script.splitlines() if line.startswith("add rule inet cni_hostport m-")]
    assert len(rules) == 2 and all(" ip saddr 10.1.0.0/16 " in rule for rule in rules)


# -- tuning ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"mac": "x"}, "invalid MAC"),
        ({"mac": 5}, "mac: expected a string"),
        ({"mtu": -1}, "mtu: expected a number from 0 to 65535"),
        ({"promisc": "on"}, "promisc: expected true or false"),
        ({"allmulti": 1}, "allmulti: expected true or false"),
        ({"txQLen": -1}, "txQLen: expected a number"),
        ({"args": {"cni": {"mtu": "x"}}}, "args.cni.mtu: expected a number"),
    ],
)
def test_invalid_tuning_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message):
        tuning.read(spec.Call("ADD", settings))


def test_precedence_of_tuning_settings() -> None:
    settings = {"mtu": 1400, "args": {"cni": {"mtu": 1300, "promisc": True, "mac": "02:00:00:00:00:02"}}}
    call = spec.Call("ADD", settings, args={"MAC": "02:00:00:00:00:01"})
    assert tuning.read(call).to_json() == {"mac": "02:00:00:00:00:02", "mtu": 1300, "promisc": True}
    with_runtime = spec.Call("ADD", {**settings, "runtimeConfig": {"mac": "02:00:00:00:00:03"}})
    assert tuning.read(with_runtime).mac == "02:00:00:00:00:03"


def test_sysctl_allowlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "allowlist.conf").write_text("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$\n")
    monkeypatch.setattr(tuning, "ALLOWED", str(tmp_path / "allowlist.conf"))

    def asked(name: str) -> dict[str, str]:
        return tuning._sysctls(spec.Call("ADD", {"sysctl": {name: "1"}}, ifname="eth0"))

    assert asked("net.ipv4.conf.IFNAME.rp_filter") == {"net.ipv4.conf.eth0.rp_filter": "1"}
    with pytest.raises(CniError, match="no line of"):
        asked("net.core.somaxconn")


@pytest.mark.kernel
def test_tuning_restores_the_first_settings_after_a_repeated_add(world: World) -> None:
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge("1.1.0"), "a")
    base = {"cniVersion": "1.1.0", "name": "cbr0", "type": "tuning", "dataDir": str(world.root / "tuning")}
    wanted = {**base, "mtu": 1300, "txQLen": 77, "allmulti": True, "prevResult": result}
    for _ in range(2):
        world.call("tuning", "ADD", wanted, "a")
    world.call("tuning", "CHECK", wanted, "a")
    assert "txQLen of eth0 is 77" in world.fails("tuning", "CHECK", {**wanted, "txQLen": 78}, "a")["msg"]
    valid = [{"containerID": "a", "ifname": "eth0"}]
    world.call("tuning", "GC", {**base, "cni.dev/valid-attachments": valid}, "x")
    world.call("tuning", "GC", {**base, "name": "another", "cni.dev/valid-attachments": []}, "x")
    assert [p.name for p in (world.root / "tuning").iterdir()] == ["a_eth0.json"]
    world.call("tuning", "DEL", wanted, "a")
    with Netlink(f"{world.prefix}-a") as pod:
        assert link.link(pod, "eth0").mtu == 1450
    world.call("tuning", "ADD", wanted, "a")
    (world.root / "tuning" / "a_eth0.json").write_text('{"mtu":')  # a truncated record
    for _ in range(2):
        world.call("tuning", "DEL", {**wanted, "prevResult": None}, "a")
    world.call("tuning", "ADD", wanted, "a")
    world.call("tuning", "GC", {**base, "cni.dev/valid-attachments": []}, "x")
    assert list((world.root / "tuning").iterdir()) == []


# -- bandwidth -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"ingressRate": 5}, "ingressBurst must also be set"),
        ({"egressBurst": 5}, "and vice versa"),
        ({"ingressRate": "5", "ingressBurst": 5}, "ingressRate: expected a number"),
        ({"ingressRate": -5, "ingressBurst": 5}, "ingressRate: expected a number"),
        ({"ingressRate": 5, "ingressBurst": 1 << 36}, "ingressBurst: expected a number"),
        ({"unshapedSubnets": ["10.0.0.0/8"], "shapedSubnets": ["10.0.0.0/8"]}, "cannot be both specified"),
        ({"unshapedSubnets": ["10.0.0.0/8", "hello"]}, "expected lists of CIDRs"),
        ({"shapedSubnets": [5]}, "shapedSubnets: expected a list of strings"),
    ],
)
def test_invalid_bandwidth_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message) as caught:
        bandwidth.read(spec.Call("ADD", settings))
    assert caught.value.code == 7


@pytest.mark.kernel
@pytest.mark.parametrize("which", ["unshapedSubnets", "shapedSubnets"])
def test_bandwidth_for_some_subnets(world: World, which: str) -> None:
    world.make("a")
    result = world.call("bridge", "ADD", world.bridge("1.1.0"), "a")
    limits = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 400_000}
    base = {"cniVersion": "1.1.0", "name": "cbr0", "type": "bandwidth", **limits}
    wanted = {**base, which: ["172.20.1.0/24", "fd00::/8"], "prevResult": result}
    world.call("bandwidth", "STATUS", base, "x")
    world.call("bandwidth", "ADD", wanted, "a")
    world.call("bandwidth", "CHECK", wanted, "a")
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.1")
    host, ifb = result["interfaces"][1]["name"], bandwidth.ifb_name(spec.Call("ADD", base, container_id="a"))
    expected = "1:1" if which == "unshapedSubnets" else "1:30"
    for device in (host, ifb):
        shown = world.run("node", "tc", "-s", "class", "show", "dev", device).split("class htb ")[1:]
        used = {text.split()[0]: int(text.partition("Sent ")[2].split()[2]) for text in shown}
        assert set(used) == {"1:1", "1:30"} and used[expected] > 0, (device, used)
    collect = {**base, "cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}
    world.call("bandwidth", "GC", collect, "x")
    world.call("bandwidth", "GC", {**collect, "name": "another", "cni.dev/valid-attachments": []}, "x")
    with Netlink(world.node) as node:
        assert ifb in {found.name for found in link.links(node)}
    world.call("bandwidth", "GC", {**collect, "cni.dev/valid-attachments": []}, "x")
    with Netlink(world.node) as node:
        assert ifb not in {found.name for found in link.links(node)}
    world.call("bandwidth", "DEL", wanted, "a")


# -- macvlan, ipvlan -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"mode": "router"}, "unknown macvlan mode 'router': expected one of private, vepa, bridge, passthru"),
        ({"type": "ipvlan", "mode": "bridge"}, "unknown ipvlan mode 'bridge': expected one of l2, l3, l3s"),
        ({"linkInContainer": "yes"}, "linkInContainer: expected true or false"),
        ({"bcqueuelen": -1}, "bcqueuelen: expected a number"),
        ({"mtu": "x"}, "mtu: expected a number"),
    ],
)
def test_invalid_macvlan_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message):
        macvlan.status(spec.Call("STATUS", {"type": "macvlan", **settings}))


@pytest.mark.kernel
@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_macvlan_modes_and_limits(world: World, mode: str) -> None:
    world.make("a")
    world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "up1")
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.2/24"}]}
    base = {"cniVersion": "1.1.0", "name": "mv", "type": "macvlan", "master": "up0", "mode": mode, "ipam": ipam}
    world.call("macvlan", "STATUS", base, "x")
    wanted = {**base, "bcqueuelen": 321, "mtu": 1400, "runtimeConfig": {"mac": "02:00:00:00:00:77"}}
    if mode == "passthru":
        del wanted["runtimeConfig"]  # passthru uses the card's MAC
    world.call("macvlan", "ADD", wanted, "a")
    shown = world.run("a", "ip", "-d", "link", "show", "eth0")
    assert f"macvlan mode {mode}" in shown and "bcqueuelen 321" in shown and "mtu 1400" in shown
    assert mode == "passthru" or "02:00:00:00:00:77" in shown
    world.call("macvlan", "DEL", wanted, "a")
    assert "invalid MTU 9000" in world.fails("macvlan", "ADD", {**wanted, "mtu": 9000}, "a")["msg"]
    assert "eth0" not in world.run("a", "ip", "link")


@pytest.mark.kernel
def test_a_master_in_the_pod(world: World) -> None:
    world.make("a")
    world.run("a", "ip", "link", "add", "net1", "type", "veth", "peer", "net2")
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.2/24"}]}
    base = {"cniVersion": "1.0.0", "name": "mv", "type": "macvlan", "master": "net1", "ipam": ipam}
    assert "lookup master 'net1'" in world.fails("macvlan", "ADD", base, "a")["msg"]
    result = world.call("macvlan", "ADD", {**base, "linkInContainer": True}, "a")
    assert "eth0@net1" in world.run("a", "ip", "link")
    world.call("macvlan", "CHECK", {**base, "linkInContainer": True, "prevResult": result}, "a")
    world.call("macvlan", "DEL", {**base, "linkInContainer": True}, "a")


# -- static, host-local ----------------------------------------------------------------------------------
def _static(env: dict[str, str] | None = None, **settings: Any) -> list[str]:
    ipam = {"type": "static", "addresses": [{"address": "10.0.0.1/24"}]}
    made = static.add(spec.Call("ADD", {"name": "n", "ipam": ipam, **settings}, args=env))
    return [ip.address + (f" via {ip.gateway}" if ip.gateway else "") for ip in made.ips]


def test_where_static_addresses_come_from() -> None:
    assert _static() == ["10.0.0.1/24"]
    assert _static({"IP": "10.0.0.2/24,fd00::2/64", "GATEWAY": "10.0.0.254,fd00::1"}) == [
        "10.0.0.1/24 via 10.0.0.254",
        "10.0.0.2/24 via 10.0.0.254",
        "fd00::2/64 via fd00::1",
    ]
    by_args = {"args": {"cni": {"ips": ["10.0.0.3/24"]}}}
    assert _static({"IP": "10.0.0.2/24"}, **by_args) == ["10.0.0.3/24"]
    assert _static({}, **by_args, runtimeConfig={"ips": ["10.0.0.4/24"]}) == ["10.0.0.4/24"]


def test_static_check_compares_with_the_previous_result() -> None:
    settings = {"name": "n", "ipam": {"addresses": [{"address": "10.0.0.1/24"}]}}
    static.check(spec.Call("CHECK", {**settings, "prevResult": {"ips": [{"address": "10.0.0.1/24"}]}}))
    with pytest.raises(CniError, match=r"10\.0\.0\.1/24 is not in prevResult"):
        static.check(spec.Call("CHECK", {**settings, "prevResult": {"ips": []}}))


@pytest.mark.kernel
@pytest.mark.parametrize(
    "more, env",
    [
        ({"runtimeConfig": {"ips": ["172.20.1.77"]}}, {}),
        ({"args": {"cni": {"ips": ["172.20.1.77"]}}}, {}),
        ({}, {"CNI_ARGS": "IgnoreUnknown=1;IP=172.20.1.77"}),
    ],
)
def test_a_requested_address(world: World, more: dict[str, Any], env: dict[str, str]) -> None:
    for pod in ("a", "b"):
        world.make(pod)
    wanted = world.bridge(**more)
    assert world.call("bridge", "ADD", wanted, "a", **env)["ips"][0]["address"] == "172.20.1.77/24"
    assert world.fails("bridge", "ADD", wanted, "b", **env)["code"] == 101, "it is in use"
    assert world.addresses == {"172.20.1.77"}


@pytest.mark.kernel
def test_ranges_of_the_runtime_and_name_servers(world: World) -> None:
    world.make("a")
    (world.root / "resolv.conf").write_text("# ours\nnameserver 10.0.0.10\nsearch a b\noptions ndots:5\ndomain x\n")
    wanted = world.bridge(
        isDefaultGateway=False, runtimeConfig={"ipRanges": [[{"subnet": "10.77.0.0/24", "rangeStart": "10.77.0.50"}]]}
    )
    wanted["ipam"] |= {
        "resolvConf": str(world.root / "resolv.conf"),
        "routes": [{"dst": "10.78.0.0/16", "priority": 5}],
    }
    result = world.call("bridge", "ADD", wanted, "a")
    assert [ip["address"] for ip in result["ips"]] == ["10.77.0.50/24", "172.20.1.2/24"]
    assert result["dns"] == {"nameservers": ["10.0.0.10"], "search": ["a", "b"], "options": ["ndots:5"], "domain": "x"}
    assert "10.78.0.0/16 via 10.77.0.1 dev eth0 metric 5" in world.run("a", "ip", "route")
    missing = {**wanted, "ipam": {**wanted["ipam"], "resolvConf": "/no/such/file"}}
    world.make("b")
    assert world.fails("bridge", "ADD", missing, "b")["code"] == 5
    assert len(world.addresses) == 2, "what b had got is given back"
