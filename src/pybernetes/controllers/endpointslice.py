"""EndpointSlice: the addresses behind each Service that has a selector, in slices of at most a hundred."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointSlice
from pybernetes.api.meta import Object
from pybernetes.api.wellknown import LABEL_HEADLESS, LABEL_SERVICE_NAME, LABEL_SLICE_MANAGED_BY, LABEL_ZONE
from pybernetes.client.client import Client
from pybernetes.client.errors import Forbidden, NotFound
from pybernetes.client.informer import Cache, Informer, key_of
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers import service_pods
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import EndpointSliceConfig
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.ownership import controller_ref
from pybernetes.controllers.podcontrol import namespace_is_going
from pybernetes.controllers.slices import Desired, Head, Ports, SlicePlan, plan
from pybernetes.controllers.types import Context

MANAGER = "endpointslice-controller.k8s.io"
BY_SERVICE = "service and manager"
"""index: `namespace/service manager` -> slices"""


def index_by_service(slices: Cache[EndpointSlice]) -> None:
    """Add the index `BY_SERVICE` to a cache."""

    def owner(item: EndpointSlice) -> list[str]:
        labels = item.metadata.labels
        name = labels.get(LABEL_SERVICE_NAME)
        return [f"{item.metadata.namespace}/{name} {labels.get(LABEL_SLICE_MANAGED_BY, '')}"] if name else []

    slices.add_index(BY_SERVICE, owner)


def service_key(item: EndpointSlice, manager: str) -> list[str]:
    """The key of the Service that a slice belongs to, if `manager` manages the slice."""
    labels = item.metadata.labels
    if labels.get(LABEL_SLICE_MANAGED_BY) != manager or not labels.get(LABEL_SERVICE_NAME):
        return []
    return [f"{item.metadata.namespace}/{labels[LABEL_SERVICE_NAME]}"]


def endpoint(service: Service, pod: Pod, addresses: list[str], zone: str) -> Endpoint:
    """A pod as an endpoint. Terminating pods that still serve are marked as such: proxies fall back to them."""
    serving = podfacts.is_ready(pod)
    terminating = bool(pod.metadata.deletion_timestamp)
    ready = service.spec.publish_not_ready_addresses or (serving and not terminating)
    return Endpoint(
        addresses=addresses[:1],
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=service_pods.hostname(pod, service) or None,
        node_name=pod.spec.node_name or None,
        target_ref=service_pods.target(pod),
        zone=zone or None,
    )


def desired(service: Service, pods: Sequence[Pod], nodes: Cache[Node]) -> Desired:
    """The endpoints of a Service per family and ports. Pods may resolve a named port differently."""
    result: Desired = {family: defaultdict(list) for family in service_pods.families(service)}
    ordered = sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))
    for pod in ordered:
        if not service_pods.belongs(pod, terminating=True):
            continue
        ports = _ports(service, pod)
        node = nodes.get(pod.spec.node_name)
        zone = node.metadata.labels.get(LABEL_ZONE, "") if node else ""
        for family, groups in result.items():
            if found := service_pods.addresses(pod, family):
                groups[ports].append(endpoint(service, pod, found, zone))
    return result


def _ports(service: Service, pod: Pod) -> Ports:
    found = []
    for port in service.spec.ports:
        number = service_pods.resolve_port(pod, port)
        if number is not None:
            found.append((port.name, number, port.protocol or "TCP", port.app_protocol or ""))
    return tuple(sorted(found))


def head_of(service: Service, trigger: str) -> Head:
    """The metadata of a Service's slices."""
    own = {LABEL_SERVICE_NAME, LABEL_SLICE_MANAGED_BY, LABEL_HEADLESS}
    labels = {key: value for key, value in service.metadata.labels.items() if key not in own}
    labels |= {LABEL_SERVICE_NAME: service.metadata.name, LABEL_SLICE_MANAGED_BY: MANAGER}
    if service_pods.is_headless(service):
        labels[LABEL_HEADLESS] = ""
    meta = service.metadata
    return Head(meta.name, meta.namespace, labels, controller_ref(service), trigger=trigger)


async def carry_out(client: Client, todo: SlicePlan, key: str, expectations: Expectations) -> None:
    """Carry out a plan: creations and updates first, so that no endpoint is missing meanwhile."""
    api = client.of(EndpointSlice)
    try:
        for item in todo.create:
            expectations.wrote(key, await api.create(item))
    except Forbidden as error:
        if not namespace_is_going(error):
            raise
        return
    for item in todo.update:
        expectations.wrote(key, await api.update(item))
    for item in todo.delete:
        meta = item.metadata
        try:
            await api.delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            continue
        expectations.deleted(key, item)


class EndpointSliceController(Controller):
    """Keys are those of Services."""

    name = "endpointslice-controller"
    component = "endpointslice-controller"
    settings = EndpointSliceConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._times = service_pods.TriggerTimes()
        self._sizes: dict[str, int] = {}
        self._capacity = context.config.of(EndpointSliceConfig).max_endpoints
        self._services = self.watch(Service, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._pods = self.observe(Pod, self._pod_changed)
        service_pods.index_by_label(self._pods)
        self._nodes = self.informer(Node).cache
        self._slices = self.watch(
            EndpointSlice, lambda old, new: [k for item in (old, new) if item for k in service_key(item, MANAGER)]
        )
        index_by_service(self._slices)
        slice_informer = cast("Informer[Object]", self.informer(EndpointSlice))
        self._expectations = Expectations(slice_informer, context.clock.now)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for key in service_pods.affected(old, new, self._services):
            self.queue.add_coalesced(key, self._sizes.get(key, 0))

    async def reconcile(self, key: str) -> None:
        """Write the slices that differ. The garbage collector deletes those of a deleted Service."""
        service = self._services.get(key)
        if service is None:
            self._times.forget(key)
            self._sizes.pop(key, None)
            self._expectations.forget(key)
            return
        if not service.spec.selector or service.spec.type == "ExternalName" or service.metadata.deletion_timestamp:
            return
        if not self._expectations.satisfied(key):
            return
        pods = service_pods.selected(service, self._pods)
        self._sizes[key] = len(pods)
        existing = self._slices.by_index(BY_SERVICE, f"{key} {MANAGER}")
        alive = [item for item in existing if not item.metadata.deletion_timestamp]
        head = dataclasses.replace(head_of(service, self._times.next(service, pods)), capacity=self._capacity)
        todo = plan(alive, desired(service, pods, self._nodes), head)
        await carry_out(self.context.client, todo, key, self._expectations)
