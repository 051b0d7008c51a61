"""Writing the launchers that a container runtime finds in its CNI directory.

Each is a few lines of Python that name the interpreter, the place of this package and the plugin. Flags: -I
and -E ignore the caller's environment, -S leaves out site-packages, which alone takes 10 ms.
"""

from __future__ import annotations

import compileall
import os
from pathlib import Path

import pybernetes
from pybernetes.cni.main import PLUGINS

_SHEBANG_LIMIT = 255


def write_launchers(bin_dir: Path, python: str) -> None:
    """One launcher per plugin, each replaced in one step; then byte code for all modules they load."""
    package = Path(pybernetes.__file__).resolve().parent
    # A virtual environment adds nothing that the plugins import, so go past it to the interpreter itself.
    interpreter = os.path.realpath(python)
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name in PLUGINS:
        staging = bin_dir / f".{name}.new"
        staging.write_text(launcher(name, interpreter, str(package.parent)))
        staging.chmod(0o755)
        staging.replace(bin_dir / name)
    compileall.compile_file(package / "__init__.py", quiet=2)
    for part in ("linux", "cni"):
        compileall.compile_dir(package / part, quiet=2)


def launcher(plugin: str, interpreter: str, parent: str) -> str:
    """The text of a launcher."""
    body = f'import sys\nsys.path.insert(0, {parent!r})\nfrom pybernetes.cni.main import main\nmain("{plugin}")\n'
    first = f"#!{interpreter} -ISE"
    if len(first) > _SHEBANG_LIMIT or " " in interpreter:
        # The kernel cuts long first lines; to a shell this is an exec, to Python a string.
        return f"#!/bin/sh\n'''exec' '{interpreter}' -ISE \"$0\" \"$@\"\n' '''\n{body}"
    return f"{first}\n{body}"
