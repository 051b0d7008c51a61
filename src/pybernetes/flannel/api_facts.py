"""What flanneld reads from the API besides Nodes: the range of Services, and NetworkPolicies.

flannel does not filter packets, so it warns about NetworkPolicies. A short list every few minutes is enough, and costs
an idle cluster almost nothing. If our role may not read these objects, as with Go flannel's ClusterRole, there is no
warning.
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.flannel.config import IPNetwork

log = logging.getLogger(__name__)

_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
_RANGES = "/apis/networking.k8s.io/v1/servicecidrs"
_SERVICE = "/api/v1/namespaces/default/services/kubernetes"
_NAMED = 8


class _Meta(msgspec.Struct):
    namespace: str = ""


class _Spec(msgspec.Struct):
    cidrs: list[str] = []
    clusterIPs: list[str] = []


class _Object(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _List(msgspec.Struct):
    items: list[_Object] | None = None


def unenforced(namespaces: Mapping[str, int]) -> str:
    """The warning about policies, counted by namespace."""
    count, named = sum(namespaces.values()), sorted(namespaces)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    some = "1 NetworkPolicy" if count == 1 else f"{count} NetworkPolicies"
    where = ", ".join(named[:_NAMED]) + more
    plural = "" if len(named) == 1 else "s"
    return (
        f"{some} in namespace{plural} {where}: not enforced. flannel does not filter packets; run a policy engine in"
        " addition, such as kube-network-policies"
    )


class ApiFacts:
    """Reads them at the start and periodically."""

    def __init__(self, client: Client, environment: Mapping[str, str], *, every: float = 300.0) -> None:
        """`environment`: in a pod it has the address of the Service `kubernetes`, which needs no permission."""
        self._client = client
        self._every = every
        self._asked = asyncio.Event()
        self._inside = _networks([environment.get("KUBERNETES_SERVICE_HOST", "")])
        self.services: tuple[IPNetwork, ...] = self._inside
        """Ranges of Services, or single addresses if no more is known."""
        self.policies: Mapping[str, int] = {}
        """NetworkPolicies by namespace."""

    async def learned(self, patience: float = 5.0) -> None:
        """Wait a limited time for the first answers."""
        try:
            async with asyncio.timeout(patience):
                await self._asked.wait()
        except TimeoutError:
            log.debug("the range of Services is not known yet")

    async def run(self, changed: Callable[[], None]) -> None:
        """Until cancelled; calls `changed` when the range of Services changes."""
        while True:
            services = await self._ranges()
            policies = await self._count()
            if policies and not self.policies:
                log.warning("%s", unenforced(policies))
            before, self.services, self.policies = self.services, services, policies
            self._asked.set()
            if before != services:
                changed()
            await asyncio.sleep(self._every)

    async def _ranges(self) -> tuple[IPNetwork, ...]:
        found = [text for item in await self._list(_RANGES) or () for text in item.spec.cidrs]
        if not found:
            found = [text for item in await self._list(_SERVICE) or () for text in item.spec.clusterIPs]
        return _networks(found) or self.services

    async def _count(self) -> Mapping[str, int]:
        found = await self._list(_POLICIES)
        return self.policies if found is None else Counter(item.metadata.namespace for item in found)

    async def _list(self, path: str) -> list[_Object] | None:
        """The objects; none if we may not read them, or if there is no such kind. None: no answer."""
        try:
            body = await self._client.raw("GET", path, limit="500")
            if path == _SERVICE:
                return [msgspec.json.decode(body, type=_Object)]
            return msgspec.json.decode(body, type=_List).items or []
        except ApiError as error:
            log.debug("%s: %s", path, error)
            return []
        except (Unreachable, msgspec.DecodeError) as error:
            log.debug("%s: %s", path, error)
            return None


def _networks(texts: list[str]) -> tuple[IPNetwork, ...]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            continue
    return tuple(found)
