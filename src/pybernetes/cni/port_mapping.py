"""Host ports as values: the portmap plugin's configuration, and the mappings that the runtime asks for."""

from __future__ import annotations

from pybernetes.cni import iface
from pybernetes.cni.errors import invalid_config
from pybernetes.linux import tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.cni.result import Result
    from pybernetes.cni.settings import Settings

MARK_BIT = 13
PROTOCOLS = ("tcp", "udp", "sctp")


class PortmapConfig:
    """The configuration of the portmap plugin."""

    __slots__ = ("backend", "conditions", "external_mark_chain", "mark", "masquerade_all", "snat")

    def __init__(self, source: Settings) -> None:
        self.snat = source.switch("snat") is not False
        """Whether packets whose answers would not come back get the node's source address."""
        self.masquerade_all = bool(source.switch("masqAll"))
        bit = source.number("markMasqBit", 0, 31)
        self.mark = 1 << (MARK_BIT if bit is None else bit)
        """The bit that marks packets for source NAT."""
        self.external_mark_chain = source.text("externalSetMarkChain")
        """An iptables chain of another program that marks packets for source NAT."""
        self.conditions = {4: source.texts("conditionsV4"), 6: source.texts("conditionsV6")}
        """Further matches of every rule, by family, in the language of the backend."""
        self._check(source)
        self.backend = self._choose_backend(source)

    def _check(self, source: Settings) -> None:
        chain = self.external_mark_chain
        if source.has("markMasqBit") and source.has("externalSetMarkChain"):
            raise invalid_config("Cannot specify externalSetMarkChain and markMasqBit")
        if source.has("externalSetMarkChain") and (not chain or not chain.isascii() or _has_odd_characters(chain)):
            raise source.wrong("externalSetMarkChain", "the name of a chain")
        for family, words in self.conditions.items():
            if not all([word and not _has_odd_characters(word, " ") for word in words]):
                raise source.wrong(f"conditionsV{family}", "a list of words")

    def _choose_backend(self, source: Settings) -> str:
        """As configured, as the other settings imply, or whichever is installed."""
        hints = {"iptables"} if source.has("markMasqBit") or self.external_mark_chain else set()
        hints |= {"iptables" if words[0][0] in "-!" else "nftables" for words in self.conditions.values() if words}
        if len(hints) > 1:
            raise invalid_config("settings of both backends at once: conditions in nft's words, others for iptables")
        hint = hints.pop() if hints else ""
        name = source.text("backend") or hint or ("nftables" if tool.find("nft") else "iptables")
        if name not in ("nftables", "iptables"):
            raise invalid_config(f'unknown portmap backend {name!r}: expected "nftables" or "iptables"')
        if hint and name != hint:
            raise invalid_config(f"backend {name} cannot use settings that are for {hint}")
        return name


def _has_odd_characters(text: str, allowed: str = "") -> bool:
    return any([(c.isspace() and c not in allowed) or ord(c) < 32 for c in text])


class Mapping:
    """One hostPort of one family. `host_ip` is empty for every address of the node."""

    __slots__ = ("host_ip", "host_port", "pod", "pod_port", "protocol")

    def __init__(self, protocol: str, host_ip: str, host_port: int, pod: str, pod_port: int) -> None:
        self.protocol = protocol
        self.host_ip = host_ip
        self.host_port = host_port
        self.pod = pod
        """`10.244.1.5/24`: its network matters, neighbours' packets need source NAT."""
        self.pod_port = pod_port

    @property
    def family(self) -> int:
        return iface.family(self.pod)

    @property
    def pod_ip(self) -> str:
        return iface.plain(self.pod)


def mappings(runtime: Settings, result: Result) -> list[Mapping]:
    """The port mappings that the runtime asks for, onto the first address of each family. Pure."""
    result.verify()
    pods: dict[int, str] = {}
    for ip in result.ips:
        pods.setdefault(ip.family, ip.address)
    found = []
    for entry in runtime.sections("portMappings"):
        protocol = (entry.text("protocol") or "tcp").lower()
        if protocol not in PROTOCOLS:
            raise invalid_config(f"portMappings: unknown protocol {protocol!r} (tcp, udp or sctp)")
        host_port, pod_port = _port(entry, "hostPort"), _port(entry, "containerPort")
        host_ip = entry.address("hostIP")
        for number, pod in pods.items():
            if not host_ip or iface.family(host_ip) == number:
                any_address = host_ip in ("0.0.0.0", "::")
                found.append(Mapping(protocol, "" if any_address else host_ip, host_port, pod, pod_port))
    return found


def _port(entry: Settings, key: str) -> int:
    port = entry.number(key, 1, 65535)
    if port is None:
        raise entry.wrong(key, "a port number")
    return port
