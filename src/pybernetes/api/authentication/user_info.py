"""Who a user is, as reviews tell it."""

from pybernetes.api.meta import Struct


class UserInfo(Struct, kw_only=True):
    """A user's name, groups and whatever else the authenticator knows."""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    uid: str = ""
    username: str = ""
