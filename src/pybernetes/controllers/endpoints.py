"""Endpoints: the older list of a Service's addresses, one object per Service, in the first of its families."""

from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from pybernetes.api.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.wellknown import LABEL_HEADLESS
from pybernetes.client.errors import AlreadyExists, Conflict, Forbidden, NotFound
from pybernetes.client.informer import key_of, split_key
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers import service_pods
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import EndpointsConfig
from pybernetes.controllers.podcontrol import namespace_is_going
from pybernetes.controllers.types import Context

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGER = "endpoint-controller"
CAPACITY = 1000
"""The most addresses of one Endpoints object; EndpointSlices have no such limit."""

Ports = tuple[tuple[str, int, str, str], ...]
"""(name, port, protocol, application protocol) of each port, sorted"""


def subsets(service: Service, pods: Sequence[Pod]) -> tuple[list[EndpointSubset], bool]:
    """The addresses grouped by the ports that they serve, and whether some had to be left out."""
    family = service_pods.families(service)[0]
    publish = service.spec.publish_not_ready_addresses
    ready: dict[Ports, list[EndpointAddress]] = defaultdict(list)
    unready: dict[Ports, list[EndpointAddress]] = defaultdict(list)
    for pod in pods:
        found = service_pods.addresses(pod, family)
        ports = _ports(service, pod)
        if not found or not service_pods.belongs(pod, terminating=publish) or (service.spec.ports and not ports):
            continue
        group = ready if publish or podfacts.is_ready(pod) else unready
        group[ports].append(_address(service, pod, found[0]))
    cut = _cut(ready, unready)
    result = [
        EndpointSubset(
            addresses=sorted(ready[ports], key=_order),
            not_ready_addresses=sorted(unready[ports], key=_order),
            ports=[EndpointPort(name=n, port=p, protocol=t, app_protocol=a or None) for n, p, t, a in ports],
        )
        for ports in sorted({*ready, *unready})
    ]
    return [subset for subset in result if subset.addresses or subset.not_ready_addresses], cut


def _order(address: EndpointAddress) -> tuple[str, str]:
    return address.ip, address.target_ref.uid if address.target_ref else ""


def _ports(service: Service, pod: Pod) -> Ports:
    found = []
    for port in service.spec.ports:
        number = service_pods.resolve_port(pod, port)
        if number is not None:
            found.append((port.name, number, port.protocol or "TCP", port.app_protocol or ""))
    return tuple(sorted(found))


def _address(service: Service, pod: Pod, ip: str) -> EndpointAddress:
    return EndpointAddress(
        ip=ip,
        node_name=pod.spec.node_name or None,
        target_ref=service_pods.target(pod),
        hostname=service_pods.hostname(pod, service),
    )


def _cut(ready: dict[Ports, list[EndpointAddress]], unready: dict[Ports, list[EndpointAddress]]) -> bool:
    """Keep `CAPACITY` addresses, ready ones first."""
    left, cut = CAPACITY, False
    for group in (ready, unready):
        for ports in sorted(group):
            cut = cut or len(group[ports]) > left
            group[ports] = sorted(group[ports], key=_order)[:left]
            left -= len(group[ports])
    return cut


def desired(service: Service, pods: Sequence[Pod], present: Endpoints | None) -> Endpoints:
    """The Endpoints of a Service, without the time annotation."""
    found, cut = subsets(service, pods)
    labels = {**service.metadata.labels, MANAGED_BY: MANAGER}
    labels.pop(LABEL_HEADLESS, None)
    if service_pods.is_headless(service):
        labels[LABEL_HEADLESS] = ""
    meta = present.metadata if present else ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace)
    annotations = {key: value for key, value in meta.annotations.items() if key != OVER_CAPACITY}
    if cut:
        annotations[OVER_CAPACITY] = "truncated"
    return Endpoints(metadata=replace(meta, labels=labels, annotations=annotations), subsets=found)


class EndpointsController(Controller):
    """Keys are those of Services."""

    name = "endpoints-controller"
    component = "endpoint-controller"
    settings = EndpointsConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._times = service_pods.TriggerTimes()
        self._sizes: dict[str, int] = {}
        self._services = self.watch(Service, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._pods = self.observe(Pod, self._pod_changed)
        service_pods.index_by_label(self._pods)
        self._endpoints = self.watch(Endpoints, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._api = context.client.of(Endpoints)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for key in service_pods.affected(old, new, self._services):
            self.queue.add_coalesced(key, self._sizes.get(key, 0))

    async def reconcile(self, key: str) -> None:
        """Write the Endpoints if they differ."""
        service = self._services.get(key)
        present = self._endpoints.get(key)
        if service is None:
            await self._remove(key, present)
            return
        if not service.spec.selector or service.spec.type == "ExternalName" or service.metadata.deletion_timestamp:
            return
        pods = service_pods.selected(service, self._pods)
        self._sizes[key] = len(pods)
        wanted = desired(service, pods, present)
        trigger = self._times.next(service, pods)
        if present is not None and (present.subsets, present.metadata.labels) == (
            wanted.subsets,
            wanted.metadata.labels,
        ):
            return
        annotations = {k: v for k, v in wanted.metadata.annotations.items() if k != service_pods.LAST_CHANGE}
        if trigger:
            annotations[service_pods.LAST_CHANGE] = trigger
        await self._write(replace(wanted, metadata=replace(wanted.metadata, annotations=annotations)))

    async def _write(self, wanted: Endpoints) -> None:
        try:
            if wanted.metadata.resource_version:
                await self._api.update(wanted)
            else:
                await self._api.create(wanted)
        except AlreadyExists as error:
            raise Conflict(error.status) from error
        except Forbidden as error:
            if not namespace_is_going(error):
                raise

    async def _remove(self, key: str, present: Endpoints | None) -> None:
        self._times.forget(key)
        self._sizes.pop(key, None)
        if present is None or MANAGED_BY not in present.metadata.labels:
            return
        namespace, name = split_key(key)
        try:
            await self._api.delete(name, namespace=namespace, uid=present.metadata.uid)
        except NotFound:
            return
