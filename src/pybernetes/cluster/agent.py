"""A node agent: kubelet, Service proxy, flannel and DNS of one local node, in one process inside its namespace.

Each part speaks to the API server as its own user, with its own certificate.
"""

import asyncio
import logging
import random
from dataclasses import dataclass

from pybernetes.api.core.node import Node
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.http import HttpTransport
from pybernetes.client.informer import Informers
from pybernetes.cluster.files import write_if_changed
from pybernetes.cluster.kubeconfig import component_path
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import node_addresses
from pybernetes.cluster.nodes import has_ipv6, resolv_conf
from pybernetes.cluster.pki import Pki
from pybernetes.cluster.pod_network import cni_conflist, net_conf_path
from pybernetes.cluster.registry import NodeRecord
from pybernetes.dns.forward import Forwarder, read_resolv_conf
from pybernetes.dns.server import DnsOptions, DnsServer, follow
from pybernetes.dns.zone import Zone
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.drift import KernelDrift
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.proxy.daemon import KubeProxy
from pybernetes.proxy.options import ProxyOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What `up` may choose."""

    proxy_mode: str = "nftables"


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
        """Work until cancelled; containers and network go on without the agent."""
        kubelet_client = self._client(f"nodes/{self._node.name}")
        proxy_client, flannel_client = self._client("kube-proxy"), self._client("flannel")
        kubelet_informers, proxy_informers = Informers(kubelet_client), Informers(proxy_client)
        flannel_informers = Informers(flannel_client)
        recorder = EventRecorder(kubelet_client, "kubelet", host=self._node.name)
        kubelet = Kubelet(
            self._kubelet_config(),
            kubelet_client,
            kubelet_informers,
            CriRuntime(str(self._paths.containerd_socket)),
            recorder,
        )
        proxy = KubeProxy(
            ProxyOptions(
                node_name=self._node.name, mode=self._options.proxy_mode, cluster_cidrs=(self._layout.pod_cidr,)
            ),
            proxy_informers.of(Service),
            proxy_informers.of(EndpointSlice),
        )
        flannel = self._flannel(flannel_client, flannel_informers)
        try:
            async with asyncio.TaskGroup() as group:
                for name, informers in (("kubelet", kubelet_informers), ("proxy", proxy_informers)):
                    group.create_task(informers.run(), name=f"informers of {name}")
                group.create_task(flannel_informers.run(), name="informers of flannel")
                group.create_task(recorder.run(), name="events")
                group.create_task(kubelet.run(), name="kubelet")
                group.create_task(proxy.run(), name="proxy")
                group.create_task(flannel.run(), name="flannel")
                group.create_task(self._join_pods_when(flannel), name="CNI configuration")
                group.create_task(self._dns(proxy_informers), name="dns")
        finally:
            for client in (kubelet_client, proxy_client, flannel_client):
                await client.close()

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

    def _flannel(self, client: Client, informers: Informers) -> Flanneld:
        options = FlannelOptions(
            node_name=self._node.name,
            net_conf=net_conf_path(self._layout),
            subnet_file=self._paths.subnet_env,
        )
        return Flanneld(
            options,
            client,
            informers.of(Node),
            rules=NftRules(masquerade=True, forward=True),
            drift=KernelDrift(),
            rng=random.Random(),
        )

    async def _join_pods_when(self, flannel: Flanneld) -> None:
        """Pods can be attached once there is a subnet for them; containerd notices the file by itself."""
        await flannel.wait_ready()
        self._paths.cni_conf_dir.mkdir(parents=True, exist_ok=True)
        write_if_changed(self._paths.cni_conf_dir / "10-flannel.conflist", cni_conflist(self._paths), 0o644)

    async def _dns(self, informers: Informers) -> None:
        zone = Zone(self._layout.cluster_domain)
        services, slices = informers.of(Service), informers.of(EndpointSlice)
        follow(zone, services, slices)
        await services.synced()
        await slices.synced()
        server = DnsServer(
            DnsOptions(addresses=self._addresses, domain=self._layout.cluster_domain),
            zone,
            Forwarder(read_resolv_conf(resolv_conf())),
        )
        await server.start()
        try:
            await asyncio.Event().wait()
        finally:
            await server.close()
