"""Impersonation: the Impersonate-* headers, and the permissions that the real user needs for them."""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import unquote

from pybernetes.apiserver import errors
from pybernetes.apiserver.auth.tokens import PREFIX, service_account_user
from pybernetes.apiserver.auth.union import AUTHENTICATED
from pybernetes.apiserver.types import ANONYMOUS, Attributes, User

EXTRA = "impersonate-extra-"
GROUP = "authentication.k8s.io"
UNAUTHENTICATED = "system:unauthenticated"


def impersonate(headers: Iterable[tuple[str, str]], user: User) -> tuple[User, list[Attributes]] | None:
    """The impersonated user, and the attributes (with verb impersonate) that `user` must be allowed.

    None if the request does not impersonate. Headers are pairs, since groups and extras can repeat.
    Raises BadRequest for groups, uid or extras without a user.
    """
    given = [(k.lower(), v) for k, v in headers if k.lower().startswith("impersonate-")]
    if not given:
        return None
    single = dict(given)
    name, uid = single.get("impersonate-user", ""), single.get("impersonate-uid", "")
    groups = [v for k, v in given if k == "impersonate-group"]
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in given:
        if key.startswith(EXTRA):
            known = unquote(key.removeprefix(EXTRA)).lower()
            extra[known] = (*extra.get(known, ()), value)
    if not name:
        if not (groups or uid or extra):
            return None
        raise errors.bad_request("requested impersonation of groups, a uid or extras without impersonating a user")
    target = _target(name, groups, uid, extra)
    return target, _required(user, name, groups, uid, extra)


def _target(name: str, groups: list[str], uid: str, extra: dict[str, tuple[str, ...]]) -> User:
    account = _service_account(name)
    if account and not groups:
        groups = list(service_account_user(*account).groups)
    implied = UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED
    if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
        groups = [*groups, implied]
    return User(name, tuple(groups), uid, extra)


def _service_account(name: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name."""
    namespace, colon, account = name.removeprefix(PREFIX).partition(":")
    if name.startswith(PREFIX) and colon and namespace and account and ":" not in account:
        return namespace, account
    return None


def _required(
    user: User, name: str, groups: list[str], uid: str, extra: dict[str, tuple[str, ...]]
) -> list[Attributes]:
    base = Attributes(user=user, verb="impersonate", version="v1")
    account = _service_account(name)
    if account:
        needed = [replace(base, resource="serviceaccounts", namespace=account[0], name=account[1])]
    else:
        needed = [replace(base, resource="users", name=name)]
    needed += [replace(base, resource="groups", name=g) for g in groups]
    if uid:
        needed.append(replace(base, group=GROUP, resource="uids", name=uid))
    for key, values in extra.items():
        needed += [replace(base, group=GROUP, resource="userextras", subresource=key, name=v) for v in values]
    return needed
