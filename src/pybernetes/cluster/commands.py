"""Running the system's own tools (ip, nft, ctr): argument lists in, output or CommandFailed out."""

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
        raise CommandFailed(words, done.returncode, done.stderr or done.stdout)
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, stdin: str | None = None) -> bool:
    """Run a program whose failure is an answer, not an error."""
    try:
        run(argv, stdin=stdin)
    except CommandFailed:
        return False
    return True
