"""The result of a plugin as values, read from and written as each version of the CNI specification.

Source: CNI specification 1.1.0, "Result Types", and its older versions down to 0.3.0.
"""

from __future__ import annotations

from pybernetes.cni import errors
from pybernetes.cni.errors import CniError
from pybernetes.cni.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.fastjson import Json

_U32 = (1 << 32) - 1


class Interface:
    """A network interface that a plugin made. `sandbox` is the path of its namespace, empty on the node."""

    __slots__ = ("mac", "mtu", "name", "pci_id", "sandbox", "socket_path")

    def __init__(
        self, name: str, *, mac: str = "", sandbox: str = "", mtu: int = 0, socket_path: str = "", pci_id: str = ""
    ) -> None:
        self.name = name
        self.mac = mac
        self.sandbox = sandbox
        self.mtu = mtu
        self.socket_path = socket_path
        self.pci_id = pci_id

    def to_json(self, newest: bool) -> Json:
        new = {"mtu": self.mtu, "socketPath": self.socket_path, "pciID": self.pci_id} if newest else {}
        return _without_empty({"name": self.name, "mac": self.mac, "sandbox": self.sandbox, **new})


class Ip:
    """An address of the pod. `interface` is an index into the result's interfaces."""

    __slots__ = ("address", "gateway", "interface")

    def __init__(self, address: str, gateway: str = "", interface: int | None = None) -> None:
        self.address = address
        """With its prefix length."""
        self.gateway = gateway
        self.interface = interface

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4

    @property
    def host(self) -> str:
        """The address without its prefix length."""
        return self.address.partition("/")[0]

    def to_json(self, with_version: bool) -> Json:
        out: Json = {"version": str(self.family)} if with_version else {}
        out["address"] = self.address
        if self.gateway:
            out["gateway"] = self.gateway
        if self.interface is not None:
            out["interface"] = self.interface
        return out


class Route:
    """A route of the pod. Without `gateway` it leads through the first gateway of its family."""

    __slots__ = ("advmss", "dst", "gateway", "mtu", "priority", "scope", "table")

    def __init__(self, dst: str, gateway: str = "") -> None:
        self.dst = dst
        self.gateway = gateway
        self.mtu = 0
        self.advmss = 0
        self.priority = 0
        self.table: int | None = None
        self.scope: int | None = None

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.dst else 4

    def to_json(self, newest: bool) -> Json:
        out: Json = {"dst": self.dst}
        if self.gateway:
            out["gw"] = self.gateway
        if newest:
            out |= _without_empty({"mtu": self.mtu, "advmss": self.advmss, "priority": self.priority})
            out |= {key: value for key, value in (("table", self.table), ("scope", self.scope)) if value is not None}
        return out


class Dns:
    """What the pod's resolv.conf should contain."""

    __slots__ = ("domain", "nameservers", "options", "search")

    def __init__(self) -> None:
        self.nameservers: list[str] = []
        self.domain = ""
        self.search: list[str] = []
        self.options: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.nameservers or self.domain or self.search or self.options)

    def to_json(self) -> Json:
        return _without_empty(
            {"nameservers": self.nameservers, "domain": self.domain, "search": self.search, "options": self.options}
        )


class Result:
    """What ADD returns."""

    __slots__ = ("dns", "interfaces", "ips", "routes")

    def __init__(
        self,
        interfaces: list[Interface] | None = None,
        ips: list[Ip] | None = None,
        routes: list[Route] | None = None,
        dns: Dns | None = None,
    ) -> None:
        self.interfaces = interfaces or []
        self.ips = ips or []
        self.routes = routes or []
        self.dns = dns or Dns()

    def verify(self) -> None:
        """Check addresses in a result that another program wrote. Raises CniError with DECODING_FAILURE."""
        from pybernetes.linux.ipmsg import pack, split

        try:
            for ip in self.ips:
                split(ip.address)
                pack(ip.gateway or "::")
            for route in self.routes:
                split(route.dst)
                pack(route.gateway or "::")
        except ValueError as bad:
            raise CniError(errors.DECODING_FAILURE, f"result: {bad}") from bad

    def to_json(self, version: tuple[int, ...]) -> Json:
        """The result in a version of the specification, without `cniVersion`."""
        newest, old = version >= (1, 1, 0), version < (1, 0, 0)
        out: Json = {}
        if self.interfaces:
            out["interfaces"] = [one.to_json(newest) for one in self.interfaces]
        if self.ips:
            out["ips"] = [one.to_json(with_version=old) for one in self.ips]
        if self.routes:
            out["routes"] = [one.to_json(newest) for one in self.routes]
        out["dns"] = self.dns.to_json()
        return out


# -- reading ---------------------------------------------------------------------------------------------
def read(value: object, what: str) -> Result:
    """A result that another program wrote. Raises CniError with DECODING_FAILURE; `what` names it there."""
    source = Settings(value, f"{what}.", errors.DECODING_FAILURE)
    return Result(
        interfaces=[_read_interface(one) for one in source.sections("interfaces")],
        ips=[_read_ip(one) for one in source.sections("ips")],
        routes=read_routes(source),
        dns=read_dns(source),
    )


def _read_interface(source: Settings) -> Interface:
    return Interface(
        _required(source, "name"),
        mac=source.text("mac"),
        sandbox=source.text("sandbox"),
        mtu=source.number("mtu") or 0,
        socket_path=source.text("socketPath"),
        pci_id=source.text("pciID"),
    )


def _read_ip(source: Settings) -> Ip:
    return Ip(_required(source, "address"), source.text("gateway"), source.number("interface", -1))


def read_routes(source: Settings) -> list[Route]:
    """The `routes` of a result, or of the `ipam` section of a configuration."""
    return [_read_route(one) for one in source.sections("routes")]


def _read_route(source: Settings) -> Route:
    route = Route(_required(source, "dst"), source.text("gw"))
    route.mtu = source.number("mtu") or 0
    route.advmss = source.number("advmss") or 0
    route.priority = source.number("priority") or 0
    route.table = source.number("table")
    route.scope = source.number("scope", 0, 255)
    return route


def read_dns(source: Settings) -> Dns:
    """The `dns` section of a result or of a configuration."""
    section = source.section("dns")
    dns = Dns()
    dns.nameservers = section.texts("nameservers")
    dns.domain = section.text("domain")
    dns.search = section.texts("search")
    dns.options = section.texts("options")
    return dns


def _required(source: Settings, key: str) -> str:
    value = source.text(key)
    if not value:
        raise source.wrong(key, "a string")
    return value


def _without_empty(values: Json) -> Json:
    return {key: value for key, value in values.items() if value}
