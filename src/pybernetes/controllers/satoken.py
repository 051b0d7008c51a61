"""Service account tokens in Secrets: the older kind of token, without expiry, which a user requests with a Secret of
type `kubernetes.io/service-account-token` that names an account.

The Secret is filled with a token, the CA and the namespace, and deleted when its account is gone. Signing is not
known here: `Context.mint_token` does it.
"""

from base64 import b64encode

from msgspec.structs import replace

from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.wellknown import ANNOTATION_SERVICE_ACCOUNT_NAME, SECRET_SERVICE_ACCOUNT_TOKEN
from pybernetes.client.errors import NotFound
from pybernetes.client.informer import key_of
from pybernetes.controllers.base import MANAGER, Controller
from pybernetes.controllers.config import RootCAConfig, ServiceAccountTokenConfig
from pybernetes.controllers.types import Context, Mint

ACCOUNT_UID = "kubernetes.io/service-account.uid"
BY_ACCOUNT = "service account"
"""index: namespace/name of the account -> its token Secrets"""


def account_key(secret: Secret) -> str:
    """The key of the account that a token Secret names; empty for other Secrets."""
    name = secret.metadata.annotations.get(ANNOTATION_SERVICE_ACCOUNT_NAME, "")
    return f"{secret.metadata.namespace}/{name}" if secret.type == SECRET_SERVICE_ACCOUNT_TOKEN and name else ""


def filled(secret: Secret, account: ServiceAccount, root_ca: str, mint: Mint) -> Secret:
    """The Secret with all its data; the same object when it is complete. An existing token is never replaced."""
    data = dict(secret.data)
    if "token" not in data:
        data["token"] = _encoded(mint(account, secret))
    if root_ca:
        data["ca.crt"] = _encoded(root_ca)
    data.setdefault("namespace", _encoded(secret.metadata.namespace))
    annotations = {**secret.metadata.annotations, ACCOUNT_UID: account.metadata.uid}
    if data == secret.data and annotations == secret.metadata.annotations:
        return secret
    return replace(secret, data=data, metadata=replace(secret.metadata, annotations=annotations))


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


class ServiceAccountTokenController(Controller):
    """Keys are those of Secrets."""

    name = "serviceaccount-token-controller"
    component = MANAGER
    settings = ServiceAccountTokenConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._secrets = self.watch(Secret, lambda old, new: [key_of(new)] if new and account_key(new) else [])
        self._secrets.add_index(BY_ACCOUNT, lambda secret: [key] if (key := account_key(secret)) else [])
        self._accounts = self.watch(ServiceAccount, self._account_changed)
        self._api = context.client.of(Secret)

    def _account_changed(self, old: ServiceAccount | None, new: ServiceAccount | None) -> list[str]:
        changed = new or old
        return [key_of(secret) for secret in self._secrets.by_index(BY_ACCOUNT, key_of(changed))] if changed else []

    async def reconcile(self, key: str) -> None:
        """Fill the Secret, or delete it when its account was deleted or replaced."""
        secret = self._secrets.get(key)
        mint = self.context.mint_token
        if secret is None or mint is None or secret.metadata.deletion_timestamp or not account_key(secret):
            return
        account = await self._account(secret)
        if account is None:
            await self._delete(secret)
            return
        wanted = filled(secret, account, self.context.config.of(RootCAConfig).root_ca, mint)
        if wanted is not secret:
            await self._api.update(wanted)

    async def _account(self, secret: Secret) -> ServiceAccount | None:
        """The account. If the cache doesn't have it, ask the server before the Secret is deleted for that."""
        account = self._accounts.get(account_key(secret))
        if account is None:
            name = secret.metadata.annotations[ANNOTATION_SERVICE_ACCOUNT_NAME]
            try:
                account = await self.context.client.of(ServiceAccount).get(name, namespace=secret.metadata.namespace)
            except NotFound:
                return None
        noted = secret.metadata.annotations.get(ACCOUNT_UID)
        return account if noted in (None, "", account.metadata.uid) else None

    async def _delete(self, secret: Secret) -> None:
        meta = secret.metadata
        try:
            await self._api.delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return
