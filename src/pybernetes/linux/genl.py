"""Generic netlink: subsystems that have a name instead of a protocol number, such as WireGuard.

The number of a family can differ from boot to boot; it is looked up by name. Source: linux/genetlink.h.
"""

from __future__ import annotations

from struct import Struct

from pybernetes.linux.errors import Missing, NotSupported, ProtocolError
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybernetes.linux.netns import Netns

NETLINK_GENERIC = 16
_GENL_ID_CTRL = 16
_CTRL_CMD_GETFAMILY = 3
_CTRL_ATTR_FAMILY_ID = 1
_CTRL_ATTR_FAMILY_NAME = 2

_HEADER = Struct("=BBH")  # command, version, reserved


def header(command: int, version: int = 1) -> bytes:
    """struct genlmsghdr."""
    return _HEADER.pack(command, version, 0)


def attributes(payload: bytes) -> dict[int, bytes]:
    """The attributes behind the header of a message."""
    if len(payload) < _HEADER.size:
        raise ProtocolError(f"generic netlink message of {len(payload)} bytes")
    return parse_attrs(payload, _HEADER.size)


class Genl(Netlink):
    """A socket to one family, inside a namespace. Raises NotSupported, naming the module, if the kernel lacks it."""

    def __init__(self, family: str, netns: Netns | None = None) -> None:
        super().__init__(netns, NETLINK_GENERIC)
        try:
            self.family = self._number(family)
        except BaseException:
            self.close()
            raise

    def _number(self, family: str) -> int:
        body = header(_CTRL_CMD_GETFAMILY) + text(_CTRL_ATTR_FAMILY_NAME, family)
        try:
            replies = self.request(Request(_GENL_ID_CTRL, 0, body, "find netlink family", family))
        except Missing as error:
            raise NotSupported(
                95, "find netlink family", family, f"module {family} is not loaded: modprobe {family}"
            ) from error
        number = attributes(replies[0]).get(_CTRL_ATTR_FAMILY_ID, b"") if replies else b""
        if len(number) != 2:
            raise ProtocolError(f"netlink family {family} without a number")
        return int.from_bytes(number, "little")
