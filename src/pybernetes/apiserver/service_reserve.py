"""Allocates what a Service gets from the server: cluster IPs of its families, and node ports.

The fields are those of kube-apiserver: clusterIP is the first of clusterIPs, ipFamilies and ipFamilyPolicy are filled
in, a headless Service has "None", an ExternalName has none. An update keeps what was allocated unless the type changes.
"""

from ipaddress import ip_address

from pybernetes.api.core.service import KIND, Service, ServicePort, ServiceSpec
from pybernetes.api.field import Errors
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.allocate import Changes, Full, IpPool, OutOfRange, PortPool, Taken
from pybernetes.apiserver.context import ServerContext

SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
NONE = "None"


class ServiceReserve:
    """The `pools.Allocator` of Services."""

    def __init__(self, context: ServerContext) -> None:
        networks = context.config.networks()
        self._ips = {f"IPv{n.version}": IpPool(n, context.random) for n in networks}
        self._ports = PortPool(context.config.node_port_range, context.random)
        self._first = str(networks[0][1])
        for kv in context.store.range(KIND.key_prefix).items:
            self._claim(codec.decode(kv.value, Service))

    def _claim(self, service: Service) -> None:
        """Reserve what a stored Service has. Values outside a range that has become narrower stay with the Service."""
        for address in _addresses(service.spec):
            pool = self._ips.get(_family(address))
            try:
                if pool is not None:
                    pool.take(address)
            except (OutOfRange, Taken):
                continue
        for port in _node_ports(service.spec):
            try:
                self._ports.take(port)
            except (OutOfRange, Taken):
                continue

    def reserve(self, new: Service, old: Service | None) -> Changes:
        """Fill in and reserve. Raises Invalid, or ServerError if a pool is exhausted."""
        changes = Changes()
        try:
            if old is not None:
                _keep_allocated(new.spec, old.spec)
            self._fill_families(new)
            self._take_ips(new, old, changes)
            self._take_ports(new, old, changes)
        except BaseException:
            changes.undo()
            raise
        return changes

    def release(self, gone: Service) -> None:
        """The service was deleted."""
        for address in _addresses(gone.spec):
            self._free_ip(address)
        for port in set(_node_ports(gone.spec)):
            self._ports.free(port)

    def _free_ip(self, address: str) -> None:
        pool = self._ips.get(_family(address))
        if pool is not None:
            pool.free(address)

    def _fill_families(self, service: Service) -> None:
        spec = service.spec
        if spec.type == "ExternalName":
            spec.cluster_ip, spec.cluster_ips, spec.ip_families, spec.ip_family_policy = "", [], [], None
            return
        if spec.cluster_ip and not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]
        requested = [_family(ip) for ip in spec.cluster_ips if ip != NONE]
        if not spec.ip_families:
            spec.ip_families = requested or [next(iter(self._ips))]
        headless = spec.cluster_ips[:1] == [NONE]
        bare = headless and not spec.selector
        if not spec.ip_family_policy:
            spec.ip_family_policy = REQUIRE if bare or len(spec.ip_families) > 1 else SINGLE
        dual = spec.ip_family_policy != SINGLE and (len(self._ips) > 1 or bare)
        if spec.ip_family_policy == REQUIRE and not dual:
            found = Errors()
            found.invalid("spec.ipFamilyPolicy", REQUIRE, "this cluster is not configured for dual-stack services")
            raise errors.invalid(KIND, service.metadata.name, found.items)
        if dual and len(spec.ip_families) == 1:
            spec.ip_families = [*spec.ip_families, "IPv6" if spec.ip_families[0] == "IPv4" else "IPv4"]
        if not dual:
            spec.ip_families = spec.ip_families[:1]
        self._check_families(service, headless)

    def _check_families(self, service: Service, headless: bool) -> None:
        found = Errors()
        for index, family in enumerate(service.spec.ip_families):
            if family not in self._ips and not headless:
                found.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        if found:
            raise errors.invalid(KIND, service.metadata.name, found.items)

    def _take_ips(self, new: Service, old: Service | None, changes: Changes) -> None:
        spec = new.spec
        had = set(_addresses(old.spec)) if old is not None else set()
        if spec.type != "ExternalName" and spec.cluster_ips[:1] != [NONE]:
            found: list[str] = []
            for index, family in enumerate(spec.ip_families):
                requested = spec.cluster_ips[index] if index < len(spec.cluster_ips) else ""
                found.append(requested if requested in had else self._take_ip(new, family, requested, changes))
            spec.cluster_ips, spec.cluster_ip = found, found[0]
        elif spec.cluster_ips:
            spec.cluster_ip = spec.cluster_ips[0]
        for address in had - set(_addresses(spec)):
            changes.on_keep.append(lambda ip=address: self._free_ip(ip))  # type: ignore[misc]

    def _take_ip(self, service: Service, family: str, requested: str, changes: Changes) -> str:
        pool = self._ips[family]
        try:
            address = requested or pool.take_any()
            if requested:
                pool.take(requested)
        except Full as error:
            raise errors.internal(f"failed to allocate a serviceIP: {error}") from error
        except (OutOfRange, Taken, ValueError) as error:
            found = Errors()
            found.invalid("spec.clusterIPs", service.spec.cluster_ips, f"failed to allocate IP {requested}: {error}")
            raise errors.invalid(KIND, service.metadata.name, found.items) from error
        changes.on_undo.append(lambda: pool.free(address))
        return address

    def _take_ports(self, new: Service, old: Service | None, changes: Changes) -> None:
        had = set(_node_ports(old.spec)) if old is not None else set()
        spec = new.spec
        if _wants_ports(spec):
            taken: dict[int, set[str]] = {}
            for index, port in enumerate(spec.ports):
                self._take_port(new, index, port, had, taken, changes)
        else:
            for port in spec.ports:
                port.node_port = 0
        if _wants_health_port(spec):
            self._take_health_port(new, had, changes)
        for number in had - set(_node_ports(spec)):
            changes.on_keep.append(lambda n=number: self._ports.free(n))  # type: ignore[misc]

    def _take_port(
        self,
        service: Service,
        index: int,
        port: ServicePort,
        had: set[int],
        taken: dict[int, set[str]],
        changes: Changes,
    ) -> None:
        """Reserve one port's node port. Ports that differ in the protocol only share a node port."""
        requested = port.node_port
        if not requested:
            shared = [p.node_port for p in service.spec.ports[:index] if p.port == port.port and p.node_port]
            requested = next((n for n in shared if port.protocol not in taken.get(n, ())), 0)
        if requested in had or (requested in taken and port.protocol not in taken[requested]):
            number = requested
        else:
            number = self._take_number(service, f"spec.ports[{index}].nodePort", requested, changes)
        port.node_port = number
        taken.setdefault(number, set()).add(port.protocol)

    def _take_health_port(self, service: Service, had: set[int], changes: Changes) -> None:
        requested = service.spec.health_check_node_port
        if requested not in had:
            requested = self._take_number(service, "spec.healthCheckNodePort", requested, changes)
        service.spec.health_check_node_port = requested

    def _take_number(self, service: Service, path: str, requested: int, changes: Changes) -> int:
        try:
            number = requested or self._ports.take_any()
            if requested:
                self._ports.take(requested)
        except Full as error:
            raise errors.internal(f"failed to allocate a nodePort: {error}") from error
        except (OutOfRange, Taken) as error:
            found = Errors()
            found.invalid(path, requested, str(error))
            raise errors.invalid(KIND, service.metadata.name, found.items) from error
        changes.on_undo.append(lambda: self._ports.free(number))
        return number


def _family(address: str) -> str:
    try:
        return f"IPv{ip_address(address).version}"
    except ValueError:
        return "IPv4"


def _addresses(spec: ServiceSpec) -> list[str]:
    listed = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    return [] if spec.type == "ExternalName" else [ip for ip in listed if ip and ip != NONE]


def _node_ports(spec: ServiceSpec) -> list[int]:
    ports = [port.node_port for port in spec.ports if port.node_port]
    return [*ports, spec.health_check_node_port] if spec.health_check_node_port else ports


def _wants_ports(spec: ServiceSpec) -> bool:
    if spec.type == "LoadBalancer":
        return spec.allocate_load_balancer_node_ports is not False or any(p.node_port for p in spec.ports)
    return spec.type == "NodePort"


def _wants_health_port(spec: ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _keep_allocated(new: ServiceSpec, old: ServiceSpec) -> None:
    """An update that omits allocated values keeps them; a change to a type without them releases them."""
    if "ExternalName" not in (new.type, old.type):
        if not new.cluster_ip and not new.cluster_ips:
            new.cluster_ip, new.cluster_ips = old.cluster_ip, list(old.cluster_ips)
        elif new.cluster_ip == old.cluster_ip and not new.cluster_ips:
            new.cluster_ips = list(old.cluster_ips)
        elif not new.cluster_ip and new.cluster_ips:
            new.cluster_ip = new.cluster_ips[0]
        new.ip_families = new.ip_families or list(old.ip_families)
        new.ip_family_policy = new.ip_family_policy or old.ip_family_policy
        if new.ip_family_policy == SINGLE and len(new.cluster_ips) > 1:
            new.cluster_ips = new.cluster_ips[:1]
    if _wants_ports(new) and _wants_ports(old):
        known = {(p.protocol, p.port): p.node_port for p in old.ports}
        claimed = {p.node_port for p in new.ports if p.node_port}
        for port in new.ports:
            kept = known.get((port.protocol, port.port), 0)
            if not port.node_port and kept not in claimed:
                port.node_port = kept
    if _wants_health_port(new) and not new.health_check_node_port:
        new.health_check_node_port = old.health_check_node_port
    elif not _wants_health_port(new) and old.health_check_node_port == new.health_check_node_port:
        new.health_check_node_port = 0
