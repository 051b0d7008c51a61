"""Tokens for projected volumes: requested from the API server, cached, and renewed after 80 % of their lifetime."""

import msgspec

from pybernetes.api.authentication.token_request import BoundObjectReference, TokenRequest, TokenRequestSpec
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.core.volume import ServiceAccountTokenProjection
from pybernetes.client.client import Client
from pybernetes.kubelet.types import Clock, seconds_of
from pybernetes.kubelet.volumes.plugin import Token

_DEFAULT_LIFETIME = 3600
_RENEW_AT = 0.8
_MAX_AGE = 24 * 3600.0


class TokenManager:
    """Tokens by pod and projection. A token is bound to its pod: it becomes invalid when the pod is deleted."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._accounts = client.of(ServiceAccount)
        self._clock = clock
        self._tokens: dict[tuple[str, str, int], Token] = {}

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> Token:
        """A token with at least 20 % of its lifetime left; raises ApiError or Unreachable."""
        lifetime = projection.expiration_seconds or _DEFAULT_LIFETIME
        key = (pod.metadata.uid, projection.audience, lifetime)
        known = self._tokens.get(key)
        if known is not None and self._clock() < known.renew_at:
            return known
        reference = BoundObjectReference(api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid)
        request = TokenRequest(
            api_version="authentication.k8s.io/v1",
            kind="TokenRequest",
            spec=TokenRequestSpec(
                audiences=[projection.audience] if projection.audience else [],
                expiration_seconds=lifetime,
                bound_object_ref=reference,
            ),
        )
        name = pod.spec.service_account_name or "default"
        answer = await self._accounts.call(name, "token", request, namespace=pod.metadata.namespace)
        status = msgspec.json.decode(answer, type=TokenRequest).status
        now = self._clock()
        left = max(seconds_of(status.expiration_timestamp) - now, 0.0)
        token = self._tokens[key] = Token(status.token, now + min(left * _RENEW_AT, _MAX_AGE))
        return token

    def forget(self, uid: str) -> None:
        """Drop the tokens of a pod that has been removed."""
        for key in [k for k in self._tokens if k[0] == uid]:
            del self._tokens[key]
