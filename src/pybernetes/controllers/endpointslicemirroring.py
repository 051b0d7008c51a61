"""EndpointSlice mirroring: Endpoints that a user writes by hand, for a Service without a selector, are copied to
EndpointSlices, because proxies read only those."""

from typing import cast

from pybernetes.api.core.endpoints import EndpointAddress, Endpoints, EndpointSubset
from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointSlice
from pybernetes.api.meta import Object
from pybernetes.api.wellknown import (
    ANNOTATION_LAST_APPLIED,
    LABEL_SERVICE_NAME,
    LABEL_SKIP_MIRROR,
    LABEL_SLICE_MANAGED_BY,
)
from pybernetes.client.errors import NotFound
from pybernetes.client.informer import Informer, key_of
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import EndpointSliceMirroringConfig
from pybernetes.controllers.endpointslice import BY_SERVICE, carry_out, index_by_service, service_key
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.ownership import controller_ref
from pybernetes.controllers.slices import (
    Desired,
    Head,
    Ports,
    SlicePlan,
    plan,
)
from pybernetes.controllers.types import Context

MANAGER = "endpointslicemirroring-controller.k8s.io"
LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = frozenset({ANNOTATION_LAST_APPLIED})


def is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    """Whether these Endpoints were written by a user, who wants them in slices."""
    if service is None or service.spec.selector or endpoints.metadata.deletion_timestamp:
        return False
    return endpoints.metadata.labels.get(LABEL_SKIP_MIRROR) != "true" and LEADER not in endpoints.metadata.annotations


def desired(endpoints: Endpoints, limit: int = 1000) -> Desired:
    """The endpoints per family and ports, at most `limit` of each subset."""
    result: Desired = {}
    for subset in endpoints.subsets:
        ports: Ports = tuple(sorted((p.name, p.port, p.protocol or "TCP", p.app_protocol or "") for p in subset.ports))
        for address, ready in _addresses(subset)[:limit]:
            family = "IPv6" if ":" in address.ip else "IPv4"
            result.setdefault(family, {}).setdefault(ports, []).append(_endpoint(address, ready))
    return result


def _addresses(subset: EndpointSubset) -> list[tuple[EndpointAddress, bool]]:
    up = [(address, True) for address in subset.addresses]
    return up + [(address, False) for address in subset.not_ready_addresses]


def _endpoint(address: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[address.ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        node_name=address.node_name,
        target_ref=address.target_ref,
    )


def head_of(endpoints: Endpoints) -> Head:
    """The metadata of the mirrored slices."""
    meta = endpoints.metadata
    labels = {**meta.labels, LABEL_SERVICE_NAME: meta.name, LABEL_SLICE_MANAGED_BY: MANAGER}
    annotations = {key: value for key, value in meta.annotations.items() if key not in _NOT_COPIED}
    return Head(meta.name, meta.namespace, labels, controller_ref(endpoints), annotations=annotations)


class EndpointSliceMirroringController(Controller):
    """Keys are those of Endpoints, which are those of their Services."""

    name = "endpointslice-mirroring-controller"
    component = "endpointslicemirroring-controller"
    settings = EndpointSliceMirroringConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._limit = context.config.of(EndpointSliceMirroringConfig).max_endpoints
        self._endpoints = self.watch(Endpoints, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._services = self.watch(Service, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._slices = self.watch(
            EndpointSlice, lambda old, new: [k for item in (old, new) if item for k in service_key(item, MANAGER)]
        )
        index_by_service(self._slices)
        slice_informer = cast("Informer[Object]", self.informer(EndpointSlice))
        self._expectations = Expectations(slice_informer, context.clock.now)

    async def reconcile(self, key: str) -> None:
        """Write the slices that differ; delete all of them when the Endpoints are not to be mirrored."""
        if not self._expectations.satisfied(key):
            return
        endpoints = self._endpoints.get(key)
        existing = self._slices.by_index(BY_SERVICE, f"{key} {MANAGER}")
        if endpoints is None or not is_mirrored(endpoints, self._services.get(key)):
            todo = SlicePlan(delete=existing)
        else:
            todo = plan(existing, desired(endpoints, self._limit), head_of(endpoints))
        try:
            await carry_out(self.context.client, todo, key, self._expectations)
        except NotFound:
            return
