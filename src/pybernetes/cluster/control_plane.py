"""The control plane of a local cluster in one process: store, API server, controllers and scheduler.

store <- API server <- HTTPS (kubectl, nodes)
                    <- controllers, scheduler: enter behind authentication, each as its own user
"""

import asyncio
import contextlib
import functools
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from pybernetes.api.core.node import Node
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.rule import RoleRef, Subject
from pybernetes.apiserver import codec
from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.apiserver.auth.signing import signing_key
from pybernetes.apiserver.auth.tokens import Ref, service_account_user
from pybernetes.apiserver.config import KubeletClient, ServerConfig
from pybernetes.apiserver.http import TlsFiles, serve_https
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.node_feed import feed_nodes
from pybernetes.apiserver.server import ApiServer
from pybernetes.apiserver.types import User
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.cluster.dns_service import DnsService
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pki import Pki
from pybernetes.controllers.config import Config
from pybernetes.controllers.manager import ControllerManager
from pybernetes.scheduler.scheduler import Scheduler
from pybernetes.store.errors import WriteFailed
from pybernetes.store.sqlite import SqliteStore
from pybernetes.store.types import Store

log = logging.getLogger(__name__)

_AUTHENTICATED = "system:authenticated"
_MANAGER = User("system:kube-controller-manager", (_AUTHENTICATED,))
_SCHEDULER = User("system:kube-scheduler", (_AUTHENTICATED,))
_ADMIN = User("system:apiserver", ("system:masters", _AUTHENTICATED))
_COMPACT_SECONDS = 300.0
ADMINISTRATORS = "kubeadm:cluster-admins"


def server_config(layout: Layout, pki: Pki) -> ServerConfig:
    """The API server's settings for a local cluster."""
    kubelet = pki.pair("apiserver-kubelet-client")
    return ServerConfig(
        service_cidrs=(layout.service_cidr,),
        advertise_address=str(layout.host_address),
        advertise_port=layout.api_port,
        kubelet_client=KubeletClient(str(kubelet.certificate), str(kubelet.key), str(pki.ca_certificate)),
    )


class ControlPlane:
    """Everything that one control-plane process holds."""

    def __init__(self, layout: Layout, *, simulated_nodes: int = 0) -> None:
        self._layout = layout
        self._simulated_nodes = simulated_nodes
        self._pki = Pki(layout.pki)
        self._recorders: list[EventRecorder] = []

    async def run(self) -> None:
        """Serve until cancelled."""
        self._layout.store_db.parent.mkdir(parents=True, exist_ok=True)
        store = await SqliteStore.open(self._layout.store_db, stamp=codec.stamp)
        nodes = NodeAuthorizer()
        server = assemble(server_config(self._layout, self._pki), store, self._security(), nodes=nodes)
        feed = asyncio.create_task(feed_nodes(store, nodes), name="node authorizer")
        try:
            await server.start()
            await _bind_administrators(Client(InProcessTransport(server, _ADMIN)))
            async with self._listening(server):
                await self._run_loops(server, store)
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)
            await server.close()
            await store.close()

    def _security(self) -> Security:
        issuer = f"https://kubernetes.default.svc.{self._layout.cluster_domain}"
        return Security(signing_key=signing_key(self._pki.service_account_key.read_bytes()), issuer=issuer)

    @asynccontextmanager
    async def _listening(self, server: ApiServer) -> AsyncGenerator[None, None]:
        pair = self._pki.pair("apiserver")
        tls = TlsFiles(certificate=str(pair.certificate), key=str(pair.key), client_ca=str(self._pki.ca_certificate))
        hosts = ["127.0.0.1", str(self._layout.host_address)]
        listening = await serve_https(server, hosts, self._layout.api_port, tls)
        log.info("API server listens on %s, port %d", " and ".join(hosts), self._layout.api_port)
        try:
            yield
        finally:
            await listening.close()

    async def _run_loops(self, server: ApiServer, store: Store) -> None:
        manager = Client(InProcessTransport(server, _MANAGER))
        scheduler_client = Client(InProcessTransport(server, _SCHEDULER))
        informers = Informers(manager)
        client_for = functools.partial(_component_client, server)
        dns = DnsService(Client(InProcessTransport(server, _ADMIN)), informers.of(Node), self._layout.dns_ip)
        controllers = ControllerManager(
            client_for,
            informers,
            self._controller_config(),
            recorder_for=functools.partial(self._recorder, client_for),
            mint_token=functools.partial(_mint, server),
        )
        events = EventRecorder(scheduler_client, "default-scheduler")
        scheduler = Scheduler(scheduler_client, informers, events, rng=random.Random())
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(controllers.run(), name="controllers")
            group.create_task(scheduler.run(), name="scheduler")
            group.create_task(dns.run(), name="dns service")
            group.create_task(compact_regularly(store), name="compaction")
            for recorder in [*self._recorders, events]:
                group.create_task(recorder.run(), name="events")

    def _controller_config(self) -> Config:
        return Config(cluster_cidrs=(self._layout.pod_cidr,), root_ca=self._pki.ca_certificate.read_text())

    def _recorder(self, client_for: Callable[[str], Client], component: str) -> EventRecorder:
        recorder = EventRecorder(client_for(component), component)
        self._recorders.append(recorder)
        return recorder


async def _bind_administrators(client: Client) -> None:
    """Let the group of admin.conf and of the API server's kubelet client do everything, as kubeadm does."""
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
    """A client that speaks as a controller's own service account."""
    account = service_account_user("kube-system", component)
    user = User(account.name, (*account.groups, _AUTHENTICATED), account.uid)
    return Client(InProcessTransport(server, user))


async def compact_regularly(store: Store, seconds: float = _COMPACT_SECONDS) -> None:
    """Forget revisions that are older than `seconds`, as kube-apiserver does with etcd."""
    before = store.revision
    while True:
        await asyncio.sleep(seconds)
        try:
            if before > store.compacted:
                await store.compact(before)
        except WriteFailed as error:
            log.warning("compaction put off: %s", error)
        before = store.revision
