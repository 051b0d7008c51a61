"""Root CA publisher: each namespace has a ConfigMap `kube-root-ca.crt` with the CA of the API server, which pods mount
to verify the API server."""

from msgspec.structs import replace

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.errors import AlreadyExists, Forbidden, NotFound
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import RootCAConfig
from pybernetes.controllers.podcontrol import namespace_is_going
from pybernetes.controllers.types import Context

NAME = "kube-root-ca.crt"
KEY = "ca.crt"
_ANNOTATIONS = {
    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using "
    "internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed "
    "across distributions of Kubernetes clusters."
}


def desired(namespace: str, root_ca: str) -> ConfigMap:
    """The ConfigMap of a namespace."""
    meta = ObjectMeta(name=NAME, namespace=namespace, annotations=_ANNOTATIONS)
    return ConfigMap(metadata=meta, data={KEY: root_ca})


class RootCAPublisher(Controller):
    """Keys are names of namespaces."""

    name = "root-ca-certificate-publisher-controller"
    component = "root-ca-cert-publisher"
    settings = RootCAConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(Namespace, lambda old, new: [new.metadata.name] if new else [])
        self._maps = self.watch(ConfigMap, self._map_changed)
        self._api = context.client.of(ConfigMap)

    def _map_changed(self, old: ConfigMap | None, new: ConfigMap | None) -> list[str]:
        changed = new or old
        return [changed.metadata.namespace] if changed is not None and changed.metadata.name == NAME else []

    async def reconcile(self, key: str) -> None:
        """Create the ConfigMap, or restore its data."""
        namespace = self._namespaces.get(key)
        root_ca = self.context.config.of(RootCAConfig).root_ca
        if not root_ca or namespace is None or namespace.metadata.deletion_timestamp:
            return
        wanted = desired(key, root_ca)
        present = self._maps.find(NAME, key)
        try:
            if present is None:
                await self._api.create(wanted)
            elif present.data != wanted.data:
                await self._api.update(replace(present, data=wanted.data))
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not namespace_is_going(error):
                raise
