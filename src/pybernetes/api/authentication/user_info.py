"""TODOC authentication/user_info.py"""

from pybernetes.api.meta import Struct


class UserInfo(Struct, kw_only=True):
    """TODOC UserInfo"""

    extra: dict[str, list[str]] = {}
    groups: list[str] = []
    uid: str = ""
    username: str = ""
