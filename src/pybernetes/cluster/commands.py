"""Run programs of the system (ip, nft, ctr): argument lists in, output or CommandFailed out."""

import errno
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pybernetes.cluster.errors import CommandFailed, ConfigError

_TIMEOUT = 60.0


def run(argv: Sequence[str | Path], *, stdin: str | None = None, timeout: float = _TIMEOUT) -> str:
    """Run a program and return its output. Raises CommandFailed unless it exits with 0."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ConfigError(f"{words[0]!r} is not installed; 'pybernetes doctor' shows how to install it") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(words, -1, f"did not exit within {timeout:.0f} s") from error
    if done.returncode != 0:
        output = done.stderr or done.stdout
        if os.strerror(errno.ENOSPC).lower() in output.lower():
            output = f"{output.strip()}; free some space on that disk (df -h) and run the command again"
        raise CommandFailed(words, done.returncode, output)
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, stdin: str | None = None) -> bool:
    """Run a program and return whether it exits with 0."""
    try:
        run(argv, stdin=stdin)
    except CommandFailed:
        return False
    return True
