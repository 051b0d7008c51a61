"""DNS answers per second on one core, from a zone of 1,000 Services; compared with dnsmasq with the same names.

The server is a separate process, bound to one CPU; the client keeps a window of queries in flight from another CPU.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import uvloop

SERVICES = 1000
SECONDS = 2.0
WINDOW = 64
DNSMASQ = "/usr/sbin/dnsmasq"


def name(number: int) -> str:
    return f"svc-{number}.default.svc.cluster.local"


def address(number: int) -> str:
    return f"10.96.{number // 250}.{number % 250 + 1}"


def question(number: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name(number).split("."))
    return struct.pack("!HHHHHH", 0, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def serve() -> None:
    """The server's process: prints its port, answers until it is killed."""
    from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
    from pybernetes.api.meta import ObjectMeta
    from pybernetes.dns.forward import Forwarder
    from pybernetes.dns.server import DnsOptions, DnsServer
    from pybernetes.dns.zone import Zone

    async def main() -> None:
        zone = Zone()
        for number in range(SERVICES):
            ports = [ServicePort(name="http", port=80, protocol="TCP")]
            spec = ServiceSpec(type="ClusterIP", cluster_ip=address(number), ports=ports)
            zone.update(Service(metadata=ObjectMeta(name=f"svc-{number}", namespace="default"), spec=spec), [])
        server = DnsServer(DnsOptions(addresses=["127.0.0.1"], port=0), zone, Forwarder([]))
        await server.start()
        print(server.port, flush=True)
        await asyncio.Event().wait()

    uvloop.run(main())


def spelled_anew(number: int, rng: random.Random) -> bytes:
    """The same query with another mixture of upper and lower case, so that no cache has it."""
    packet = bytearray(question(number)[2:])
    for place in range(11, len(packet) - 5):
        if 97 <= packet[place] <= 122 and rng.getrandbits(1):
            packet[place] -= 32
    return bytes(packet)


def ask(port: int, seconds: float, *, uncached: bool = False) -> float:
    """Answers per second. A query without an answer (a lost datagram) is repeated after a while."""
    questions = [question(number)[2:] for number in range(SERVICES)]
    if uncached:
        rng = random.Random(1)
        questions = [spelled_anew(number % SERVICES, rng) for number in range(100 * SERVICES)]
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        answered = sent = in_flight = 0
        end = time.perf_counter() + seconds
        start = time.perf_counter()
        while time.perf_counter() < end:
            while in_flight < WINDOW:
                client.send((sent & 0xFFFF).to_bytes(2, "big") + questions[sent % len(questions)])
                sent += 1
                in_flight += 1
            if not select.select([client], [], [], 0.2)[0]:
                in_flight = 0  # all lost
                continue
            while True:
                try:
                    answer = client.recv(2048)
                except BlockingIOError:
                    break
                if answer[3] & 0x0F or answer[6:8] != b"\0\1":
                    raise RuntimeError(f"not the answer: {answer[:12].hex()}")
                answered += 1
                in_flight -= 1
        return answered / (time.perf_counter() - start)


def measure(process: subprocess.Popen[str], port: int) -> tuple[float, float]:
    """The best of three runs, after a short one to warm up: repeated queries, and queries that are never repeated."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, {cpus[-1]})
    try:
        os.sched_setaffinity(0, {cpus[0]})
        ask(port, 0.3)
        again = max(ask(port, SECONDS / 2) for _ in range(3))
        return again, max(ask(port, SECONDS / 4, uncached=True) for _ in range(2))
    finally:
        os.sched_setaffinity(0, cpus)
        process.send_signal(signal.SIGKILL)
        process.wait()


def ours() -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.dns", "--serve"]
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    with process.stdout:
        return measure(process, int(process.stdout.readline()))


def dnsmasq() -> tuple[float | None, float | None]:
    if not Path(DNSMASQ).exists():
        return None, None
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pybernetes-bench-") as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text("".join(f"{address(n)} {name(n)}\n" for n in range(SERVICES)))
        Path(folder).chmod(0o755)
        command = [DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv"]
        command += [f"--addn-hosts={hosts}", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces"]
        command += ["--user=root", f"--pid-file={folder}/pid"]
        process = subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL)
        for _ in range(50):
            time.sleep(0.1)
            try:
                if ask(port, 0.05) > 0:
                    break
            except (OSError, RuntimeError):  # not yet listening, or the file not yet read
                continue
        return measure(process, port)


def run() -> list[dict[str, object]]:
    """The figures."""
    figures = ("DNS answers on one core, 1,000 Services", "the same, no question asked twice")
    return [
        {
            "figure": figure,
            "target": 20_000,
            "value": round(value),
            "unit": "answers/s",
            "alternative": "dnsmasq",
            "alternative_value": other and round(other),
        }
        for figure, value, other in zip(figures, ours(), dnsmasq(), strict=True)
    ]


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        print(*run(), sep="\n")
