"""Running the system's own tools (ip, nft, ctr): argument lists in, output or CommandFailed out."""

import errno
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pybernetes.cluster.errors import CommandFailed, ConfigError

_TIMEOUT = 60.0


def run(argv: Sequence[str | Path], *, stdin: str | None = None, timeout: float = _TIMEOUT) -> str:
    """Run a program to its end and return what it printed; raise CommandFailed unless it exited with 0."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ConfigError(f"{words[0]!r} is not installed; 'pybernetes doctor' tells how to get it") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(words, -1, f"no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        output = done.stderr or done.stdout
        if os.strerror(errno.ENOSPC).lower() in output.lower():
            output = f"{output.strip()}; make room on that disk (df -h) and run the command again"
        raise CommandFailed(words, done.returncode, output)
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, stdin: str | None = None) -> bool:
    """Run a program whose failure is an answer, not an error."""
    try:
        run(argv, stdin=stdin)
    except CommandFailed:
        return False
    return True
