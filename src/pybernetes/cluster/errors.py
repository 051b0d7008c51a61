"""Errors of creating and removing clusters: one class per decision that a caller makes."""


class ClusterError(Exception):
    """Ends `up`, `down` and the like with a message for the user."""


class InvalidName(ClusterError, ValueError):
    """A cluster or node name that cannot be used as a link, cgroup or host name."""


class ConfigError(ClusterError, ValueError):
    """An argument or a user's file that cannot be used; the message names the fix."""


class MachineNotReady(ClusterError):
    """Root, a program or a kernel feature is missing; the message lists the commands that fix it."""


class NoRoom(ClusterError):
    """All cluster slots, node addresses or ports of this machine are taken."""


class DiskFull(ClusterError):
    """A file could not be written because the disk is full; the previous file is still in place."""


class CommandFailed(ClusterError):
    """A program of the system (ip, nft, ctr, ...) failed."""

    def __init__(self, argv: list[str], code: int, output: str) -> None:
        """Keep the exit code, so that callers decide by number and not by text."""
        super().__init__(f"{' '.join(argv)!r} exited with {code}: {output.strip() or 'no output'}")
        self.code = code
        self.output = output


class StartTimeout(ClusterError):
    """A process was started and did not become ready in time; the message names its log."""
