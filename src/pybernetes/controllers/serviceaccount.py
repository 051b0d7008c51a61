"""ServiceAccount: each namespace has the account `default`, which pods use unless they name another one."""

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.errors import AlreadyExists, Forbidden, NotFound
from pybernetes.controllers.base import Controller
from pybernetes.controllers.podcontrol import namespace_is_going
from pybernetes.controllers.types import Context

DEFAULT = "default"


class ServiceAccountController(Controller):
    """Keys are names of namespaces."""

    name = "serviceaccount-controller"
    component = "service-account-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(Namespace, lambda old, new: [new.metadata.name] if new else [])
        self._accounts = self.watch(ServiceAccount, self._account_changed)

    def _account_changed(self, old: ServiceAccount | None, new: ServiceAccount | None) -> list[str]:
        return [old.metadata.namespace] if new is None and old is not None and old.metadata.name == DEFAULT else []

    async def reconcile(self, key: str) -> None:
        """Create the account if it is missing."""
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp or self._accounts.find(DEFAULT, key):
            return
        account = ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=key))
        try:
            await self.context.client.of(ServiceAccount).create(account)
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not namespace_is_going(error):
                raise
