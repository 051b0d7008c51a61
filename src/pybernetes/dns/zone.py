"""The names of a cluster: which records Services and EndpointSlices make. Pure: objects in, records out.

Source: the Kubernetes DNS specification, schema version 1.1.0.

| name (below `<zone>`) | records |
|---|---|
| `<service>.<namespace>.svc` | A/AAAA: cluster IPs; headless: ready endpoints; ExternalName: CNAME |
| `_<port>._<protocol>.<service>.<namespace>.svc` | SRV |
| `<hostname>.<service>.<namespace>.svc` | A/AAAA of one endpoint of a headless Service |
| `<a-b-c-d>.<namespace>.pod` | A/AAAA spelled by the name itself |
| `dns-version` | TXT 1.1.0 |
| reverse names | PTR for cluster IPs and endpoints of headless Services |
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointSlice
from pybernetes.dns import wire
from pybernetes.dns.wire import Record

SCHEMA_VERSION = "1.1.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of a name. `exists` is False for NXDOMAIN and True if the name only has no records of this type."""

    exists: bool
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    alias: str = ""
    """Set for an ExternalName: the target name, whose records the client asks for."""


_NOTHING = Answer(False)
_EMPTY = Answer(True)


@dataclass(slots=True)
class _Entry:
    """The records of one Service: every name below it, with its records by type."""

    names: dict[str, dict[int, list[Record]]] = field(default_factory=dict)
    extra: dict[str, list[Record]] = field(default_factory=dict)
    """additional records of SRV names"""
    reverse: dict[str, Record] = field(default_factory=dict)
    alias: str = ""


def reverse_name(ip: str) -> str:
    """`10.0.0.1` -> `1.0.0.10.in-addr.arpa`"""
    return ipaddress.ip_address(ip).reverse_pointer


def _address(name: str, ip: str, ttl: int) -> Record:
    packed = ipaddress.ip_address(ip).packed
    return Record(name, wire.A if len(packed) == 4 else wire.AAAA, ttl, packed)


class Zone:
    """All names of one cluster domain, kept current one Service at a time."""

    def __init__(self, domain: str = "cluster.local", ttl: int = 5) -> None:
        self.domain = domain.lower().strip(".")
        self.ttl = ttl
        self.serial = 1
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._namespaces: dict[str, int] = {}
        self._reverse: dict[str, Record] = {}

    def update(self, service: Service, slices: Iterable[EndpointSlice]) -> None:
        """Replace the names of a Service."""
        key = (service.metadata.namespace, service.metadata.name)
        self.remove(*key)
        entry = self._compile(service, list(slices))
        self._entries[key] = entry
        self._namespaces[key[0]] = self._namespaces.get(key[0], 0) + 1
        self._reverse.update(entry.reverse)

    def remove(self, namespace: str, name: str) -> None:
        """Forget a Service."""
        self.serial += 1
        entry = self._entries.pop((namespace, name), None)
        if entry is None:
            return
        for reverse, record in entry.reverse.items():
            if self._reverse.get(reverse) is record:
                del self._reverse[reverse]
        self._namespaces[namespace] -= 1
        if not self._namespaces[namespace]:
            del self._namespaces[namespace]

    def covers(self, name: str) -> bool:
        """Whether the zone is authoritative for a name."""
        return name == self.domain or name.endswith("." + self.domain)

    def soa(self) -> Record:
        """The SOA record, which accompanies negative answers."""
        data = wire.soa_data(f"ns.dns.{self.domain}", f"hostmaster.{self.domain}", self.serial & 0xFFFFFFFF, self.ttl)
        return Record(self.domain, wire.SOA, self.ttl, data)

    def lookup(self, name: str, qtype: int) -> Answer:
        """The answer for a name in the zone; the name must be in lower case."""
        labels = name[: -len(self.domain)].rstrip(".").split(".") if name != self.domain else []
        if not labels:
            return Answer(True, (self.soa(),) if qtype in (wire.SOA, wire.ANY) else ())
        if labels == ["dns-version"]:
            text = Record(name, wire.TXT, self.ttl, wire.txt_data(SCHEMA_VERSION))
            return Answer(True, (text,) if qtype in (wire.TXT, wire.ANY) else ())
        if labels[-1] == "svc":
            return self._lookup_service(name, labels, qtype)
        if labels[-1] == "pod":
            return self._lookup_pod(name, labels, qtype)
        return _NOTHING

    def lookup_reverse(self, name: str) -> Record | None:
        """The PTR record of a reverse name, if the zone has the address."""
        return self._reverse.get(name)

    def _lookup_service(self, name: str, labels: list[str], qtype: int) -> Answer:
        if len(labels) == 1 or (len(labels) == 2 and labels[0] in self._namespaces):
            return _EMPTY
        if len(labels) < 3:
            return _NOTHING
        entry = self._entries.get((labels[-2], labels[-3]))
        if entry is None:
            return _NOTHING
        if entry.alias and len(labels) == 3:
            cname = Record(name, wire.CNAME, self.ttl, wire.write_name(entry.alias))
            return Answer(True, (cname,), alias="" if qtype == wire.CNAME else entry.alias)
        by_type = entry.names.get(name)
        if by_type is None:
            # `_tcp.web...` has no records, but names below it have, so it exists.
            return _EMPTY if any(n.endswith("." + name) for n in entry.names) else _NOTHING
        if qtype == wire.ANY:
            return Answer(True, tuple(r for records in by_type.values() for r in records))
        return Answer(True, tuple(by_type.get(qtype, ())), tuple(entry.extra.get(name, ())))

    def _lookup_pod(self, name: str, labels: list[str], qtype: int) -> Answer:
        if len(labels) != 3 or labels[1] not in self._namespaces:
            return _EMPTY if len(labels) == 1 or (len(labels) == 2 and labels[0] in self._namespaces) else _NOTHING
        dashed = labels[0]
        try:
            ip = ipaddress.ip_address(dashed.replace("-", ".") if dashed.count("-") == 3 else dashed.replace("-", ":"))
        except ValueError:
            return _NOTHING
        record = _address(name, str(ip), self.ttl)
        return Answer(True, (record,) if qtype in (record.type, wire.ANY) else ())

    def _compile(self, service: Service, slices: list[EndpointSlice]) -> _Entry:
        entry = _Entry()
        base = f"{service.metadata.name}.{service.metadata.namespace}.svc.{self.domain}".lower()
        if service.spec.type == "ExternalName":
            entry.alias = service.spec.external_name.lower().rstrip(".")
            return entry
        entry.names[base] = {}
        ips = [ip for ip in service.spec.cluster_ips or [service.spec.cluster_ip] if ip and ip != "None"]
        if ips:
            self._compile_cluster_ips(entry, base, service, ips)
        else:
            self._compile_headless(entry, base, service, slices)
        return entry

    def _add(self, entry: _Entry, record: Record) -> None:
        records = entry.names.setdefault(record.name, {}).setdefault(record.type, [])
        if record not in records:
            records.append(record)

    def _compile_cluster_ips(self, entry: _Entry, base: str, service: Service, ips: list[str]) -> None:
        for ip in ips:
            self._add(entry, _address(base, ip, self.ttl))
            entry.reverse[reverse_name(ip)] = Record(reverse_name(ip), wire.PTR, self.ttl, wire.write_name(base))
        for port in service.spec.ports:
            if port.name:
                self._add_srv(entry, base, port.name, port.protocol, port.port, base, 100)
                entry.extra[_srv_name(base, port.name, port.protocol)] = [_address(base, ip, self.ttl) for ip in ips]

    def _add_srv(
        self, entry: _Entry, base: str, port: str, protocol: str, number: int, target: str, weight: int
    ) -> None:
        data = wire.srv_data(0, weight, number, target)
        self._add(entry, Record(_srv_name(base, port, protocol), wire.SRV, self.ttl, data))

    def _compile_headless(self, entry: _Entry, base: str, service: Service, slices: list[EndpointSlice]) -> None:
        for part in slices:
            if part.address_type == "FQDN":
                continue
            for endpoint in part.endpoints:
                if endpoint.conditions.ready is False and not service.spec.publish_not_ready_addresses:
                    continue
                for ip in endpoint.addresses:
                    self._add_endpoint(entry, base, part, endpoint, ip)

    def _add_endpoint(self, entry: _Entry, base: str, part: EndpointSlice, endpoint: Endpoint, ip: str) -> None:
        host = f"{endpoint.hostname or ip.replace('.', '-').replace(':', '-')}.{base}".lower()
        own = _address(host, ip, self.ttl)
        self._add(entry, _address(base, ip, self.ttl))
        self._add(entry, own)
        reverse = reverse_name(ip)
        if endpoint.hostname or reverse not in entry.reverse:
            entry.reverse[reverse] = Record(reverse, wire.PTR, self.ttl, wire.write_name(host))
        for port in part.ports:
            if port.name and port.port:
                self._add_srv(entry, base, port.name, port.protocol or "TCP", port.port, host, 100)
                entry.extra.setdefault(_srv_name(base, port.name, port.protocol or "TCP"), []).append(own)


def _srv_name(base: str, port: str, protocol: str) -> str:
    return f"_{port}._{protocol}.{base}".lower()
