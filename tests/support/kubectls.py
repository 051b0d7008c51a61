"""The versions of kubectl that tests drive: oldest, default and newest; all that the machine has in the full run."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from support import profiles

_FOLDERS = (Path("/usr/lib/google-cloud-sdk/bin"),)


@cache
def kubectls() -> list[str]:
    """Paths of the programs to test with, the default one first. Raises RuntimeError without any kubectl."""
    default = shutil.which("kubectl")
    if default is None:
        raise RuntimeError("kubectl is not installed; tools/install.sh dev installs it")
    others = sorted(str(path) for folder in _FOLDERS for path in folder.glob("kubectl.1.*"))
    if profiles.FULL or not others:
        return [default, *others]
    by_version = sorted([default, *others], key=_version)
    return list(dict.fromkeys([default, by_version[0], by_version[-1]]))


def _version(program: str) -> tuple[int, int]:
    """(1, 33), from the program itself."""
    done = subprocess.run([program, "version", "--client"], capture_output=True, text=True, check=False)
    found = re.search(r"v(\d+)\.(\d+)|Minor:\"(\d+)", done.stdout)
    if found is None:
        return (0, 0)
    return (int(found[1] or 1), int(found[2] or found[3]))
