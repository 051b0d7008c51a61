# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes dns: the cluster's DNS server in a separate process."""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pybernetes.cli.component import health_context
from pybernetes.cli.flags import component, flag, listed
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, FILE, HOST_PORT, PORT
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.node_parts import run_dns
from pybernetes.dns.forward import Upstream
from pybernetes.dns.server import DnsOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of the DNS server."""

    kubeconfig: Path | None = flag(None, "Kubeconfig of the API server.", type=FILE, shown="the pod's own account")
    bind_address: tuple[str, ...] = listed(("0.0.0.0",), "Addresses to listen on.", type=ADDRESS)
    port: int = flag(53, "UDP and TCP port.", type=PORT)
    domain: str = flag("cluster.local", "Cluster domain.")
    forward: tuple[str, ...] = listed(
        ("/etc/resolv.conf",),
        "Upstream nameservers for other names: addresses with or without a port, or a resolv.conf.",
    )
    healthz_bind_address: tuple[str, int] = flag("", "Address and port of /healthz.", type=HOST_PORT, shown="none")


def run(flags: Flags, level: str) -> None:
    """Serve the names of Services and pods, in this or a stock cluster."""
    run_until_signal(_work(flags, upstreams(flags.forward)), level)


def upstreams(wanted: tuple[str, ...]) -> Path | list[Upstream]:
    """The nameservers, or the resolv.conf that lists them. Raises ConfigError."""
    if len(wanted) == 1 and "/" in wanted[0]:
        path = Path(wanted[0])
        if not path.is_file():
            raise ConfigError(f"--forward {path}: no such file; give a resolv.conf, or addresses such as 9.9.9.9")
        return path
    return [_upstream(text) for text in wanted]


def _upstream(text: str) -> Upstream:
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not text.startswith("[")):
        host, port = text, "53"
    try:
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError
        return Upstream(str(ip_address(host.strip("[]"))), number)
    except ValueError:
        raise ConfigError(
            f"--forward {text!r} is not a nameserver; write an address such as 9.9.9.9, 10.0.0.1:5353 or [fd00::1]:53"
        ) from None


async def _work(flags: Flags, forward: Path | list[Upstream]) -> None:
    client = connect(endpoint(flags.kubeconfig), "pybernetes-dns")
    informers = Informers(client)
    options = DnsOptions(addresses=flags.bind_address, port=flags.port, domain=flags.domain.strip("."))
    try:
        async with (
            health_context(*flags.healthz_bind_address, None, lambda: "", flag="--healthz-bind-address"),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(informers.run(), name="informers")
            group.create_task(run_dns(options, informers, forward), name="dns")
    finally:
        await client.close()


command = component("dns", Flags, run)
