"""The description of a user in reviews."""

from pybernetes.api.meta import Struct


class UserInfo(Struct, kw_only=True):
    """A user's name, groups and further attributes from the authenticator."""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    uid: str = ""
    username: str = ""
