"""Every backend: from a pod on one node to a pod on another, and the same path configured by hand, in the same run.

There are two equal pairs of nodes. One runs flanneld, a process per node; the other is configured by commands below.
Measurements alternate between the two, and a share is the median of those of adjacent runs, so that other load on the
machine affects both. Backends that this kernel lacks are measured in a virtual machine whose instructions are
translated: everything is slow there, so only the shares are meaningful, not the rates.

For the udp backend, which forwards packets in a process, the limit by profile (cProfile) under one TCP stream: the
kernel passes and accepts up to 64 KiB at a time on both sides (TUN offloads; UDP_SEGMENT and UDP_GRO at the socket), so
Python runs once per 24 packets. About a third of a proxy's time is in system calls, which copy each byte twice; a third
in NumPy, which sums payloads, since each TCP checksum has to be computed or verified; a third in the interpreter
between these. Packets that the kernel does not join cost one read and one write of the TUN device each, for which there
is no batched call: some 15 µs, which limits packets per second. A one-byte round trip wakes four threads.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import _traffic
from bench._node import ROOT, NodeProcess, network, subnet
from bench._nodes import Wire, address, pod, wire
from bench._nodes import run as command
from pybernetes.linux import link, wireguard
from pybernetes.linux.rtnl import Netlink

ROUNDS, SECONDS, TRIPS = 30, 0.2, 200
_MARK = "ROWS "
_VM_TIMEOUT = 900
_KEYS = {n: base64.b64encode(bytes([8, *[n] * 30, 64])).decode() for n in (1, 2)}


@dataclass(frozen=True, slots=True)
class Case:
    """A backend, and the alternative."""

    title: str
    backend: Mapping[str, Any]
    device: str
    """The device on which packets to pods leave a node."""
    by_hand: Callable[[str, int, int], None]
    """Given a node's namespace, its number and the other's."""
    mtu: int
    """The pods' MTU in the pair that is configured by hand; flanneld computes it."""
    alternative: str = "by hand"
    target: float | None = 0.98
    """For throughput."""
    packets: bool = False
    """Whether to count small packets too."""
    modules: Sequence[str] = field(default=())
    """Modules that the kernel of a build machine lacks."""


# -- configuration by hand -------------------------------------------------------------------------------
def hand_vxlan(space: str, number: int, other: int) -> None:
    """A VXLAN device, and the entries that the kernel would otherwise have to resolve."""
    mac, far = f"02:00:00:00:01:{number:02x}", f"02:00:00:00:01:{other:02x}"
    here, there = (str(subnet(4, n).network_address) for n in (number, other))
    words = f"ip link add hand address {mac} mtu 1450 type vxlan id 2 dstport 8472 local {address(number)} dev eth0"
    command(space, *words.split(), "nolearning")
    command(space, "ip", "link", "set", "hand", "up")
    command(space, "ip", "addr", "add", f"{here}/32", "dev", "hand")
    command(space, "ip", "route", "add", f"{there}/24", "via", there, "dev", "hand", "onlink")
    command(space, "ip", "neigh", "add", there, "lladdr", far, "dev", "hand", "nud", "permanent")
    command(space, "bridge", "fdb", "add", far, "dev", "hand", "dst", address(other), "self", "permanent")


def hand_route(space: str, number: int, other: int) -> None:
    """A route."""
    command(space, "ip", "route", "add", str(subnet(4, other)), "via", address(other), "dev", "eth0")


def hand_ipip(space: str, number: int, other: int) -> None:
    """A tunnel of IPv4 in IPv4."""
    words = f"ip link add hand mtu 1480 type ipip local {address(number)} ttl inherit"
    command(space, *words.split())
    command(space, "ip", "link", "set", "hand", "up")
    command(space, "ip", "addr", "add", f"{subnet(4, number).network_address}/32", "dev", "hand")
    command(space, "ip", "route", "add", str(subnet(4, other)), "via", address(other), "dev", "hand", "onlink")


def hand_wireguard(space: str, number: int, other: int) -> None:
    """A WireGuard device; the keys go in by a call, where `wg` may not be installed."""
    command(space, "ip", "link", "add", "hand", "mtu", "1420", "type", "wireguard")
    with wireguard.Wireguard(space) as wg:
        keys = {}
        for n in (other, number):  # the last one stays
            wg.configure("hand", private_key=_KEYS[n], listen_port=51820)
            keys[n] = wg.device("hand").public_key
        end = wireguard.Endpoint(address(other), 51820)
        wg.set_peers("hand", [wireguard.Peer(keys[other], end, frozenset({str(subnet(4, other))}))])
    command(space, "ip", "link", "set", "hand", "up")
    command(space, "ip", "addr", "add", f"{subnet(4, number).network_address}/32", "dev", "hand")
    command(space, "ip", "route", "add", str(subnet(4, other)), "dev", "hand")


def hand_ipsec(space: str, number: int, other: int) -> None:
    """An xfrm interface, with its states and policies; the keys do not change."""
    command(space, "ip", "link", "add", "hand", "mtu", "1423", "type", "xfrm", "dev", "eth0", "if_id", "7")
    command(space, "ip", "link", "set", "hand", "up")
    command(space, "ip", "addr", "add", f"{subnet(4, number).network_address}/32", "dev", "hand")
    here, there = (address(number), str(subnet(4, number))), (address(other), str(subnet(4, other)))
    for source, sink, spi, ways in ((here, there, number, ("out",)), (there, here, other, ("in", "fwd"))):
        ends = f"src {source[0]} dst {sink[0]} proto esp"
        words = f"ip xfrm state add {ends} spi {0x1000 + spi} reqid 7 mode tunnel replay-window 32 if_id 7 aead"
        command(space, *words.split(), "rfc4106(gcm(aes))", "0x" + f"{spi:02x}" * 20, "128")
        for way in ways:
            words = (
                f"ip xfrm policy add src {source[1]} dst {sink[1]} dir {way} if_id 7 tmpl {ends} reqid 7 mode tunnel"
            )
            command(space, *words.split())
    command(space, "ip", "route", "add", str(subnet(4, other)), "dev", "hand")


_XFRM = ("xfrm_user", "xfrm_interface", "esp4", "gcm", "ghash_generic", "ctr", "crypto_null", "drbg")
_XFRM += ("jitterentropy_rng", "seqiv", "echainiv", "authenc")

#: All that carry packets.
CASES = {
    "vxlan": Case("vxlan", {"Type": "vxlan"}, "flannel.1", hand_vxlan, 1450),
    "direct": Case("vxlan, DirectRouting", {"Type": "vxlan", "DirectRouting": True}, "eth0", hand_route, 1450),
    "host-gw": Case("host-gw", {"Type": "host-gw"}, "eth0", hand_route, 1500),
    "bgp": Case("bgp", {"Type": "bgp"}, "eth0", hand_route, 1500),
    "udp": Case("udp", {"Type": "udp"}, "flannel0", hand_vxlan, 1450, "VXLAN by hand", None, packets=True),
    "ipip": Case("ipip", {"Type": "ipip"}, "flannel.ipip", hand_ipip, 1480, modules=("ipip",)),
    "wireguard": Case(
        "wireguard", {"Type": "wireguard"}, "flannel-wg", hand_wireguard, 1420, modules=("wireguard",)
    ),
    "ipsec": Case("ipsec", {"Type": "ipsec", "PSK": "bench" * 20}, "flannel-ipsec", hand_ipsec, 1423, modules=_XFRM),
}  # fmt: skip
_VM_MODULES = ("veth", "bridge", "vxlan", "tun", "nf_tables")


# -- the two pairs ---------------------------------------------------------------------------------------
@contextmanager
def ours(case: Case) -> Iterator[Wire]:
    """A pair with flanneld on both nodes, and each knowing the other's lease."""
    with wire("ours") as made, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        nodes = []
        for number, space in enumerate(made.nodes, 1):
            place = Path(folder) / str(number)
            place.mkdir()
            nodes.append(NodeProcess(space, number, network(case.backend, 4), place))
            stack.callback(nodes[-1].stop)
        for node, other in (nodes, nodes[::-1]):
            threading.Thread(target=_pass_on, args=(node, other), daemon=True).start()
        for node, space in zip(nodes, made.pods, strict=True):
            _set_mtu(space, node.mtu())
        yield made


def _pass_on(source: NodeProcess, sink: NodeProcess) -> None:
    """Pass the leases of each node to the other, until they exit."""
    try:
        while True:
            sink.send([source.lease()])
    except (RuntimeError, ValueError, OSError):
        return


@contextmanager
def hand_made(case: Case) -> Iterator[Wire]:
    """The pair that is configured by hand."""
    with wire("hand") as made:
        for number, (node, inside) in enumerate(zip(made.nodes, made.pods, strict=True), 1):
            case.by_hand(node, number, 3 - number)
            _set_mtu(inside, case.mtu)
        yield made


def _set_mtu(space: str, mtu: int) -> None:
    with Netlink(space) as nl:
        link.set_mtu(nl, "eth0", mtu)


# -- measuring -------------------------------------------------------------------------------------------
def measure(case: Case) -> list[dict[str, Any]]:
    """The rows of one backend."""
    with ours(case) as mine, hand_made(case) as other, _traffic.far_end([mine.pods[1], other.pods[1]]):
        paths = {"ours": _traffic.Path(mine.pods[0], pod(2)), "hand": _traffic.Path(other.pods[0], pod(2))}
        for path in paths.values():
            path.wait()
        way = command(mine.nodes[0], "ip", "route", "get", pod(2))
        if f" dev {case.device} " not in way:
            raise RuntimeError(f"{case.title}: packets do not leave by {case.device}: {way}")
        with _traffic.on_processor(0):
            _alternate(paths, lambda path: [path.throughput(SECONDS)], 1)  # the very first run is slower
            rates = _alternate(paths, lambda path: [path.throughput(SECONDS)], ROUNDS)
            delays = _alternate(paths, lambda path: path.round_trips(TRIPS), ROUNDS)
            packets = _alternate(paths, lambda path: [path.packets(SECONDS)], ROUNDS // 4) if case.packets else {}
    return _rows(case, rates, delays, packets)


def _alternate(
    paths: Mapping[str, _traffic.Path], work: Callable[[_traffic.Path], list[float]], rounds: int
) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {kind: [] for kind in paths}
    for turn in range(rounds):
        for kind in sorted(paths, reverse=bool(turn % 2)):
            found[kind].append(work(paths[kind]))
    return found


def _rows(case: Case, rates: Any, delays: Any, packets: Any) -> list[dict[str, Any]]:
    """`rates` and the others: what was found, by round, ours and by hand."""
    speed = {kind: [run[0] for run in runs] for kind, runs in rates.items()}
    shares = [mine / other for mine, other in zip(speed["ours"], speed["hand"], strict=True)]
    half = {kind: median(median(run) for run in runs) for kind, runs in delays.items()}
    # The median round, so that a single round on a busy machine does not determine the figure.
    tail = {kind: median(quantiles(run, n=100)[98] for run in runs) for kind, runs in delays.items()}

    def row(figure: str, values: Mapping[str, float], unit: str) -> dict[str, Any]:
        return {
            "figure": f"{case.title}: {figure}",
            "value": values["ours"],
            "unit": unit,
            "alternative": case.alternative,
            "alternative_value": values["hand"],
        }

    rows = [
        row("TCP, share of the other", {"ours": median(shares), "hand": 1.0}, "") | {"target": case.target},
        row("TCP", {kind: median(values) for kind, values in speed.items()}, "Gbit/s"),
        row("answer, p50", half, "µs"),
        row("answer, p99", tail, "µs"),
    ]
    if packets:
        rate = {kind: median(run[0] for run in runs) for kind, runs in packets.items()}
        rows.append(row("64-byte packets", rate, "/s"))
    return rows


def in_machine(names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of backends that this kernel lacks."""
    sys.path.insert(0, str(ROOT / "tests"))  # the tests' own virtual machine
    from vm.machine import run as boot
    from vm.test_other_kernel import strongswan

    modules = [*_VM_MODULES, *(module for name in names for module in CASES[name].modules)]
    result = boot(
        [sys.executable, "-m", "bench.backends", *names], modules=modules, files=strongswan(), timeout=_VM_TIMEOUT
    )
    found = [line for line in result.output.splitlines() if line.startswith(_MARK)]
    if result.code or not found:
        raise RuntimeError(f"in the virtual machine:\n{result.output}")
    rows: list[dict[str, Any]] = json.loads(found[0].removeprefix(_MARK))
    return [row | {"figure": f"{row['figure']} (virtual machine)"} for row in rows]


def run() -> list[dict[str, Any]]:
    """The figures."""
    here = [name for name, case in CASES.items() if not case.modules]
    rows = [row for name in here for row in measure(CASES[name])]
    return rows + in_machine([name for name in CASES if name not in here])


if __name__ == "__main__":
    print(_MARK + json.dumps([row for name in sys.argv[1:] for row in measure(CASES[name])]))
