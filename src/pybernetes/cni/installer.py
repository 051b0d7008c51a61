"""Writes the launchers that a container runtime finds in its CNI directory.

Each is a few lines of Python with the interpreter, the location of this package and the plugin. Flags: -I and -E ignore
the caller's environment, -S skips site-packages, which alone takes 10 ms.
"""

from __future__ import annotations

import compileall
import errno
import os
import sys
from pathlib import Path

import pybernetes
from pybernetes.cni import bundle
from pybernetes.cni.plugins import PLUGINS

_SHEBANG_LIMIT = 255

_BODY = """\
import gc, marshal, posix, sys
gc.disable()
parent = {parent!r}
sys.path.append(parent)
try:
    file = posix.open(parent + {bundle!r} + sys.implementation.cache_tag, posix.O_RDONLY | posix.O_CLOEXEC)
    length = int.from_bytes(posix.read(file, 4), "little")
    code, entries = marshal.loads(posix.read(file, length))
    exec(code, space := {{"__name__": "bundle"}})
    sys.meta_path.insert(0, space["Bundle"](parent, file, 4 + length, entries))
except (OSError, ValueError, TypeError, EOFError, KeyError):
    pass  # not for this interpreter: import modules one by one
from pybernetes.cni.main import main
main({plugin!r})
"""


def write_launchers(bin_dir: Path, python: str) -> None:
    """Write one launcher per plugin, each atomically; then byte code for all modules that they load."""
    package = Path(pybernetes.__file__).resolve().parent
    # Plugins need nothing from a virtual environment, so use the interpreter behind it.
    interpreter = os.path.realpath(python)
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name in PLUGINS:
        staging = bin_dir / f".{name}.new"
        staging.write_text(launcher(name, interpreter, str(package.parent)))
        staging.chmod(0o755)
        staging.replace(bin_dir / name)
    _compile(package)


def _compile(package: Path) -> None:
    """Write byte code for the running interpreter. If the package is read-only, plugins start more slowly."""
    compileall.compile_file(package / "__init__.py", quiet=2)
    for part in ("linux", "cni"):
        compileall.compile_dir(package / part, quiet=2)
    plugins = ["pybernetes.cni.main", *PLUGINS.values()]
    place = bundle.path_of(package, str(sys.implementation.cache_tag))
    try:
        if not bundle.is_current(package, plugins, place):
            bundle.write(package, plugins, place)
    except PermissionError:
        pass
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.ENOSPC):
            raise


def launcher(plugin: str, interpreter: str, parent: str) -> str:
    """The text of a launcher."""
    place = bundle.path_of(Path("/pybernetes"), "")
    body = _BODY.format(parent=parent, bundle=str(place), plugin=plugin)
    first = f"#!{interpreter} -ISE"
    if len(first) > _SHEBANG_LIMIT or " " in interpreter:
        # The kernel truncates long first lines. To a shell this is an exec, to Python a string.
        return f"#!/bin/sh\n'''exec' '{interpreter}' -ISE \"$0\" \"$@\"\n' '''\n{body}"
    return f"{first}\n{body}"
