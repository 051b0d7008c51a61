"""The one setting of ethtool(8) that flannel changes: whether a device computes the checksums of outgoing packets.

Source: linux/ethtool.h (ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM), which `ethtool -K DEV tx on|off` also uses.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct

from pybernetes.linux import netns as _netns
from pybernetes.linux.errors import netlink_error

_SIOCETHTOOL = 0x8946
_GTXCSUM, _STXCSUM = 0x16, 0x17
_IFREQ = struct.Struct("16sP16x")


def tx_checksum(name: str, netns: _netns.Netns | None = None) -> bool | None:
    """Whether the device computes checksums; None if there is no such device."""
    try:
        return bool(_call(name, _GTXCSUM, 0, netns))
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):
            return None
        raise _explained(error, "read checksum offload of", name) from error


def set_tx_checksum(name: str, on: bool, netns: _netns.Netns | None = None) -> None:
    """Raises Missing, NotSupported, PermissionDenied."""
    try:
        _call(name, _STXCSUM, int(on), netns)
    except OSError as error:
        raise _explained(error, "set checksum offload of", name) from error


def _call(name: str, command: int, value: int, netns: _netns.Netns | None) -> int:
    data = array.array("I", [command, value])
    with _netns.run_in(netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, _IFREQ.pack(name.encode(), data.buffer_info()[0]))
    return data[1]


def _explained(error: OSError, op: str, name: str) -> Exception:
    return netlink_error(error.errno or errno.EIO, op, name)
