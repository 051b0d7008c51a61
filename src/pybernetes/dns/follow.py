"""Keeps a zone current from the cluster's Services and EndpointSlices."""

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.service_tracker import ServiceChange, ServiceTracker, Source
from pybernetes.dns.zone import Zone


def follow(zone: Zone, services: Source[Service], slices: Source[EndpointSlice]) -> None:
    """Update the zone at each change, at once."""

    def changed() -> None:
        for change in tracker.take():
            _apply(zone, change)

    tracker = ServiceTracker(changed)
    tracker.follow(services, slices)


def _apply(zone: Zone, change: ServiceChange) -> None:
    service = change.service
    if service is None:
        if change.service_changed:
            namespace, _, name = change.key.partition("/")
            zone.remove(namespace, name)
    elif change.service_changed or service.spec.cluster_ip in ("", "None"):
        # The names of a Service with a cluster IP do not depend on its endpoints.
        zone.update(service, change.slices)
