"""Shared by both modes of `pybernetes flanneld`: the daemon's options, and running it with its health port."""

import logging
from typing import TYPE_CHECKING

from pybernetes.cli.component import health_context
from pybernetes.cli.flanneld_flags import Flags
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.options import FlannelOptions

if TYPE_CHECKING:
    from pybernetes.flannel.daemon import Flanneld

log = logging.getLogger(__name__)


def options(flags: Flags, node: str) -> FlannelOptions:
    """The daemon's options."""
    public = {version: ip for version, ip in ((4, flags.public_ip), (6, flags.public_ipv6)) if ip}
    return FlannelOptions(
        node_name=node,
        net_conf=flags.net_config_path,
        subnet_file=flags.subnet_file,
        selection=Selection(
            names=flags.iface,
            patterns=flags.iface_regex,
            can_reach=flags.iface_can_reach,
            public_ips=public or None,
        ),
        ip_masq=flags.ip_masq,
        forward_rules=flags.iptables_forward_rules,
        random_ports=not flags.ip_masq_fully_random_disable,
        blackhole=flags.ip_blackhole_route,
        set_condition=flags.set_node_network_unavailable,
        annotation_prefix=flags.kube_annotation_prefix,
        resync_seconds=float(flags.iptables_resync),
        rules_seconds=float(flags.iptables_resync),
    )


async def serve(flags: Flags, flannel: "Flanneld") -> None:
    """Run flanneld with its health port. It is ready once the network is set up."""

    def ready() -> str:
        return "" if flannel.ready else "routes and subnet file are not in place yet"

    where, port = flags.healthz_ip, flags.healthz_port
    flag, metrics = "--healthz-port", flannel.metrics.expose
    async with health_context(where, port, None, flannel.stuck, flag=flag, ready=ready, metrics=metrics):
        if port:
            log.info("Start healthz server on %s:%d", where, port)
        await flannel.run()
