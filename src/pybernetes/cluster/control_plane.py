"""The control plane of a local cluster in one process: store, API server, controllers and scheduler.

store <- API server <- HTTPS (kubectl, nodes)
                    <- controllers, scheduler: in-process, after authentication, each as its own user
"""

import asyncio
import contextlib
import functools
import logging

from pybernetes.api.core.node import Node
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.rule import RoleRef, Subject
from pybernetes.apiserver.assembly import Security
from pybernetes.apiserver.auth.signing import signing_key
from pybernetes.apiserver.auth.tokens import Ref, service_account_user
from pybernetes.apiserver.config import KubeletClient, ServerConfig
from pybernetes.apiserver.http import TlsFiles
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import ApiServer
from pybernetes.apiserver.types import User
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists
from pybernetes.client.informer import Informers
from pybernetes.cluster.api_server import Serving, serving, sqlite
from pybernetes.cluster.dns_service import DnsService
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.loops import run_controllers, run_scheduler
from pybernetes.cluster.pki import Pki
from pybernetes.controllers.base import MANAGER
from pybernetes.controllers.config import Config, NodeIpamConfig, NodeLifecycleConfig, RootCAConfig

log = logging.getLogger(__name__)

_AUTHENTICATED = "system:authenticated"
_MANAGER = User("system:kube-controller-manager", (_AUTHENTICATED,))
_SCHEDULER = User("system:kube-scheduler", (_AUTHENTICATED,))
_ADMIN = User("system:apiserver", ("system:masters", _AUTHENTICATED))
ADMINISTRATORS = "kubeadm:cluster-admins"


def server_config(layout: Layout, pki: Pki) -> ServerConfig:
    """Settings of the API server of a local cluster."""
    kubelet = pki.pair("apiserver-kubelet-client")
    return ServerConfig(
        service_cidrs=(layout.service_cidr,),
        advertise_address=str(layout.host_address),
        advertise_port=layout.api_port,
        kubelet_client=KubeletClient(str(kubelet.certificate), str(kubelet.key), str(pki.ca_certificate)),
    )


class ControlPlane:
    """The control plane of one cluster."""

    def __init__(self, layout: Layout, *, node_monitor_grace_period: float = 50.0) -> None:
        self._layout = layout
        self._grace = node_monitor_grace_period
        self._pki = Pki(layout.pki)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with serving(self._serving(), _prepare) as server:
            await self._run_loops(server)

    def _serving(self) -> Serving:
        pair = self._pki.pair("apiserver")
        issuer = f"https://kubernetes.default.svc.{self._layout.cluster_domain}"
        return Serving(
            open_store=sqlite(self._layout.store_db),
            config=server_config(self._layout, self._pki),
            security=Security(signing_key=signing_key(self._pki.service_account_key.read_bytes()), issuer=issuer),
            tls=TlsFiles(certificate=str(pair.certificate), key=str(pair.key), client_ca=str(self._pki.ca_certificate)),
            hosts=("127.0.0.1", str(self._layout.host_address)),
            port=self._layout.api_port,
        )

    async def _run_loops(self, server: ApiServer) -> None:
        informers = Informers(Client(InProcessTransport(server, _MANAGER)))
        dns = DnsService(Client(InProcessTransport(server, _ADMIN)), informers.of(Node), self._layout.dns_ip)
        controllers = run_controllers(
            functools.partial(_component_client, server),
            informers,
            Config(
                NodeIpamConfig(cluster_cidrs=(self._layout.pod_cidr,), allocate_node_cidrs=True),
                NodeLifecycleConfig(monitor_grace_period=self._grace),
                RootCAConfig(root_ca=self._pki.ca_certificate.read_text()),
            ),
            mint=functools.partial(_mint, server),
        )
        scheduler = run_scheduler(Client(InProcessTransport(server, _SCHEDULER)), informers)
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(controllers, name="controllers")
            group.create_task(scheduler, name="scheduler")
            group.create_task(dns.run(), name="dns service")


async def _prepare(server: ApiServer) -> None:
    await _bind_administrators(Client(InProcessTransport(server, _ADMIN)))


async def _bind_administrators(client: Client) -> None:
    """Bind cluster-admin to the group of admin.conf and of the API server's kubelet client, as kubeadm does."""
    binding = ClusterRoleBinding(
        metadata=ObjectMeta(name=ADMINISTRATORS),
        role_ref=RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"),
        subjects=[Subject(api_group="rbac.authorization.k8s.io", kind="Group", name=ADMINISTRATORS)],
    )
    with contextlib.suppress(AlreadyExists):
        await client.of(ClusterRoleBinding).create(binding)


def _mint(server: ApiServer, account: ServiceAccount, secret: Secret) -> str:
    """The token of a token Secret."""
    assert server.tokens is not None
    meta = account.metadata
    return server.tokens.mint_secret(meta.namespace, Ref(meta.name, meta.uid), secret.metadata.name)


def _component_client(server: ApiServer, component: str) -> Client:
    """A client with the identity of the controller's service account, or of the manager for its own components."""
    if component == MANAGER:
        return Client(InProcessTransport(server, _MANAGER))
    account = service_account_user("kube-system", component)
    user = User(account.name, (*account.groups, _AUTHENTICATED), account.uid)
    return Client(InProcessTransport(server, user))
