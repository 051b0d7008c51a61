"""Acting as somebody else: the Impersonate-* headers, each of which needs the permission to `impersonate`."""

from collections.abc import Mapping
from urllib.parse import unquote

from pybernetes.apiserver import errors
from pybernetes.apiserver.types import Attributes, Authorizer, User

_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_SERVICE_ACCOUNT = "system:serviceaccount:"

#: Separates the values of a repeated header in `Request.headers`; no header can contain it.
REPEAT = "\n"


def impersonate(headers: Mapping[str, str], user: User, authorizer: Authorizer) -> User:
    """The user that the request is to be done as. Raises Forbidden, or BadRequest for groups without a user."""
    name = headers.get(_USER, "")
    groups = tuple(filter(None, headers.get(_GROUP, "").split(REPEAT)))
    uid = headers.get(_UID, "")
    extra = {
        unquote(key.removeprefix(_EXTRA)): tuple(value.split(REPEAT))
        for key, value in headers.items()
        if key.startswith(_EXTRA)
    }
    if not name:
        if groups or uid or extra:
            raise errors.bad_request("requested impersonation of groups, uid or extra without impersonating a user")
        return user
    for attributes in _needed(user, name, groups, uid, extra):
        _require(attributes, authorizer)
    if name.startswith(_SERVICE_ACCOUNT) and not groups:
        namespace = name.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if name != "system:anonymous" and "system:unauthenticated" not in groups:
        groups = (*groups, "system:authenticated") if "system:authenticated" not in groups else groups
    elif name == "system:anonymous" and not groups:
        groups = ("system:unauthenticated",)
    return User(name, groups, uid, extra)


def _needed(
    user: User, name: str, groups: tuple[str, ...], uid: str, extra: Mapping[str, tuple[str, ...]]
) -> list[Attributes]:
    def ask(resource: str, named: str, *, group: str = "", namespace: str = "", sub: str = "") -> Attributes:
        return Attributes(
            user=user,
            verb="impersonate",
            group=group,
            version="v1",
            resource=resource,
            subresource=sub,
            namespace=namespace,
            name=named,
        )

    account = name.removeprefix(_SERVICE_ACCOUNT).split(":") if name.startswith(_SERVICE_ACCOUNT) else []
    if len(account) == 2:
        needed = [ask("serviceaccounts", account[1], namespace=account[0])]
    else:
        needed = [ask("users", name)]
    needed += [ask("groups", group) for group in groups]
    if uid:
        needed.append(ask("uids", uid, group="authentication.k8s.io"))
    for key, values in extra.items():
        needed += [ask("userextras", value, group="authentication.k8s.io", sub=key) for value in values]
    return needed


def _require(asked: Attributes, authorizer: Authorizer) -> None:
    decision = authorizer.authorize(asked)
    if decision.allowed:
        return
    named = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f": {decision.reason}" if decision.reason else ""
    raise errors.forbidden(
        asked.group,
        asked.resource,
        asked.name,
        f'User "{asked.user.name}" cannot impersonate resource "{named}" in API group "{asked.group}" {scope}{why}',
    )
