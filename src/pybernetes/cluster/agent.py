"""A node agent: kubelet, Service proxy, flannel and DNS of one local node, in one process inside its namespace.

Each part uses its own client certificate, and so is its own user to the API server.
"""

import asyncio
import logging
from dataclasses import dataclass
from ipaddress import ip_network

from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.client.informer import Informers
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.files import write_if_changed
from pybernetes.cluster.flannel_on_nodes import make_flannel
from pybernetes.cluster.healthz import health
from pybernetes.cluster.kubeconfig import component_path
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import node_addresses
from pybernetes.cluster.node_parts import make_proxy, run_dns, run_kubelet
from pybernetes.cluster.nodes import has_ipv6, resolv_conf
from pybernetes.cluster.pki import Pki
from pybernetes.cluster.pod_network import cni_conflist, has_external_network, net_conf_path
from pybernetes.cluster.registry import NodeRecord
from pybernetes.dns.server import DnsOptions
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.options import FlannelOptions
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.proxy.options import ProxyOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """Settings of the agent that `up` can change."""

    proxy_mode: str = "nftables"
    flannel_metrics_port: int = 10247
    """On 127.0.0.1 in the node's namespace: /metrics and /readyz of the pod network. 0: none."""


class Agent:
    """One node."""

    def __init__(self, layout: Layout, node: NodeRecord, options: AgentOptions) -> None:
        self._layout = layout
        self._node = node
        self._options = options
        self._paths = layout.node(node.name)
        self._addresses = [a.partition("/")[0] for a in node_addresses(layout, node, ipv6=has_ipv6())]

    def _client(self, component: str) -> Client:
        endpoint = kubeconfig.load(component_path(self._layout, component))
        return Client(HttpTransport(endpoint, user_agent=f"pybernetes-{component.partition('/')[0]}"))

    async def run(self) -> None:
        """Run until cancelled. Containers and the network keep working without the agent."""
        clients = [self._client(name) for name in (f"nodes/{self._node.name}", "kube-proxy", "flannel")]
        informers = [Informers(client) for client in clients]
        of_kubelet, of_proxy, of_flannel = informers
        try:
            async with asyncio.TaskGroup() as group:
                for name, known in zip(("kubelet", "proxy", "flannel"), informers, strict=True):
                    group.create_task(known.run(), name=f"informers of {name}")
                group.create_task(run_kubelet(self._kubelet_config(), clients[0], of_kubelet), name="kubelet")
                group.create_task(make_proxy(self._proxy_options(), of_proxy).run(), name="proxy")
                if not has_external_network(self._layout):
                    flannel = make_flannel(self._flannel_options(), clients[2], of_flannel)
                    group.create_task(flannel.run(), name="flannel")
                    group.create_task(self._show(flannel), name="flannel metrics")
                    group.create_task(self._join_pods_when(flannel), name="CNI configuration")
                group.create_task(run_dns(self._dns_options(), of_proxy, resolv_conf()), name="dns")
        finally:
            for client in clients:
                await client.close()

    def _proxy_options(self) -> ProxyOptions:
        cidrs = (self._layout.pod_cidr,)
        return ProxyOptions(node_name=self._node.name, mode=self._options.proxy_mode, cluster_cidrs=cidrs)

    def _flannel_options(self) -> FlannelOptions:
        return FlannelOptions(
            node_name=self._node.name,
            net_conf=net_conf_path(self._layout),
            subnet_file=self._paths.subnet_env,
            services=(ip_network(self._layout.service_cidr),),
        )

    def _dns_options(self) -> DnsOptions:
        return DnsOptions(addresses=self._addresses, domain=self._layout.cluster_domain)

    def _kubelet_config(self) -> KubeletConfig:
        pki = Pki(self._layout.pki)
        serving = pki.pair(f"nodes/{self._node.name}-server")
        return KubeletConfig(
            node_name=self._node.name,
            node_ips=tuple(self._addresses),
            root_dir=self._paths.kubelet_dir,
            pod_logs_dir=self._paths.pod_logs_dir,
            runtime_endpoint=str(self._paths.containerd_socket),
            cgroup_root=self._paths.cgroup,
            cluster_dns=(self._layout.dns_ip,),
            cluster_domain=self._layout.cluster_domain,
            resolv_conf=resolv_conf(),
            address=self._addresses[0],
            tls_cert_file=serving.certificate,
            tls_key_file=serving.key,
            client_ca_file=pki.ca_certificate,
            node_labels={"topology.kubernetes.io/zone": f"rack-{self._node.rack}"},
        )

    async def _show(self, flannel: Flanneld) -> None:
        """Serve the pod network's metrics for Prometheus. If the port is in use, log that and go on."""

        def ready() -> str:
            return "" if flannel.ready else "routes and subnet file are not in place yet"

        where = ("127.0.0.1", self._options.flannel_metrics_port)
        metrics = flannel.metrics.expose
        try:
            async with health(where, flannel.stuck, flag="flannel's metrics", ready=ready, metrics=metrics):
                await asyncio.Event().wait()
        except ConfigError as error:
            log.warning("%s", error)

    async def _join_pods_when(self, flannel: Flanneld) -> None:
        """Write the CNI configuration once the node has a subnet. containerd notices the file by itself."""
        await flannel.wait_ready()
        self._paths.cni_conf_dir.mkdir(parents=True, exist_ok=True)
        write_if_changed(self._paths.cni_conf_dir / "10-flannel.conflist", cni_conflist(self._paths), 0o644)
