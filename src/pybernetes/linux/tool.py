"""Runs a short-lived command such as `nft` and returns its output.

Uses posix_spawn with memory files for the three streams: CNI plugins cannot afford the import of `subprocess` (14 ms),
and no pipe can fill up. Blocks the caller while the command runs; agents call it in a worker thread.
"""

from __future__ import annotations

import posix

from pybernetes.linux import netns as _netns
from pybernetes.linux.errors import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Plugins may be started with an almost empty environment, and the tools are in sbin.
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(tool: str) -> str | None:
    """The path of an installed command, or None."""
    import os  # takes a millisecond, needed only to run a command

    for directory in f"{os.environ.get('PATH', '')}:{_SEARCH}".split(":"):
        path = f"{directory}/{tool}"
        if directory and os.access(path, os.X_OK):
            return path
    return None


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    netns: _netns.Netns | None = None,
    env: dict[str, str] | None = None,
) -> bytes:
    """Run a command inside a namespace and return its standard output. Raises ToolError if it fails."""
    code, out, err = run_raw(argv, stdin=stdin, netns=netns, env=env)
    if code:
        raise ToolError(argv[0], code, err.decode(errors="replace"))
    return out


def run_raw(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    netns: _netns.Netns | None = None,
    env: dict[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """(exit code, standard output, standard error). Raises ToolError only if the command is not installed."""
    import os

    path = argv[0] if argv[0].startswith("/") else find(argv[0])
    if path is None or not os.path.exists(path):
        raise ToolError(argv[0], 127, "not installed")
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        if stdin:
            os.write(files[0], stdin)
            os.lseek(files[0], 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(files)]
        # The child inherits the namespace of the thread that starts it.
        with _netns.enter(netns):
            environment = os.environ if env is None else env
            pid = os.posix_spawn(path, list(argv), environment, file_actions=actions, setsigmask=[])
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), _read_all(files[1]), _read_all(files[2])
    finally:
        for fd in files:
            os.close(fd)


def _read_all(fd: int) -> bytes:
    return posix.pread(fd, posix.fstat(fd).st_size, 0)
