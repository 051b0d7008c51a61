"""Plugins that change the same rules take turns, and look again when somebody else was faster.

iptables-restore and nft lock out others for one transaction only. What is read before it, to know what to write, may
have changed by then: by one of ours, which the lock keeps out, or by a stranger, which another look takes care of.
"""

from __future__ import annotations

import fcntl
import posix

from pybernetes.linux.errors import ToolError
from pybernetes.linux.nft import NftMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCK = "/run/cni-rules.lock"
_TRIES = 5


def exclusively(work: Callable[[], None]) -> None:
    """Do `work`, which reads and then writes rules, while no other plugin of ours does; again if rules vanished."""
    lock = posix.open(LOCK, posix.O_RDONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in range(_TRIES - 1, -1, -1):
            try:
                return work()
            except (NftMissing, ToolError):
                if not left:
                    raise
    finally:
        posix.close(lock)
