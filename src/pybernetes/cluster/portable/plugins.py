"""Install the CNI plugins into a plugin directory, also on machines without Python.

    /opt/cni/bin/flannel, bridge, ...      launchers: a few lines for /bin/sh
    /opt/cni/bin/.pybernetes-<digest>/     the files that they use: interpreter, loader, libraries, byte code

The directory is complete before a launcher refers to it, and each launcher is replaced atomically. So a pod that
starts meanwhile runs the old plugin or the new one. Launchers find the directory relative to their own path, because
a container that installs them sees the plugin directory under another path.
"""

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pybernetes
from pybernetes.cluster.oci import File
from pybernetes.cluster.portable import libraries, python
from pybernetes.cni.installer import launcher
from pybernetes.cni.plugins import PLUGINS

#: flanneld's own plugin. Install the other plugins only if absent: pods attached by the node's existing `bridge` must
#: be detached by it, too.
OURS = "flannel"
_MARK = b"pybernetes"
_FOLDER = ".pybernetes-"
_LAUNCHER = """#!/bin/sh
here=${{0%/*}}/{folder}
exec "$here/lib/{loader}" --library-path "$here/lib" "$here/bin/{python}" -ISE \\
  -c 'from pybernetes.cni.main import main; main("{plugin}")'
"""


class Installed(NamedTuple):
    """The result of an installation."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Existing plugins of other projects that were kept."""


def install(directory: Path, *, self_contained: bool, replace: bool = False) -> Installed:
    """Install all plugins. `replace` overwrites plugins of other projects, too. Raises ConfigError, OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    former = _folders_in_use(directory)
    if self_contained:
        texts = _self_contained(directory)
    else:
        place = str(Path(pybernetes.__file__).resolve().parents[1])
        texts = {name: launcher(name, os.path.realpath(sys.executable), place) for name in PLUGINS}
    kept = tuple(name for name in texts if not (replace or name == OURS or _is_ours(directory / name)))
    for name in texts.keys() - set(kept):
        staging = directory / f".{name}.new"
        staging.write_text(texts[name])
        staging.chmod(0o755)
        staging.replace(directory / name)
    # A running plugin may still load modules from the previous directory.
    _remove_folders(directory, former | _folders_in_use(directory))
    return Installed(tuple(name for name in texts if name not in kept), kept)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK in file.read(4096)
    except FileNotFoundError:
        return True


def _folders_in_use(directory: Path) -> set[str]:
    found = set()
    for name in PLUGINS:
        path = directory / name
        if path.is_file() and _is_ours(path):
            found |= set(
                re.findall(rf"{re.escape(_FOLDER)}[0-9a-f]+", path.read_bytes()[:4096].decode(errors="replace"))
            )
    return found


def _remove_folders(directory: Path, needed: set[str]) -> None:
    for folder in directory.glob(f"{_FOLDER}*"):
        if folder.name not in needed:
            shutil.rmtree(folder, ignore_errors=True)


def _self_contained(directory: Path) -> dict[str, str]:
    found = python.running()
    ld = libraries.loader(found.program)
    sources = _sources(found, ld)
    digest = hashlib.sha256()
    for path, file in sources:
        digest.update(f"{path}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    folder = f"{_FOLDER}{digest.hexdigest()[:12]}"
    if not (directory / folder).is_dir():
        staging = directory / f"{folder}.new"
        shutil.rmtree(staging, ignore_errors=True)
        _write(staging, [python.as_file(path, file) for path, file in sources])
        staging.replace(directory / folder)
    program = found.program.name
    return {name: _LAUNCHER.format(folder=folder, loader=ld.name, python=program, plugin=name) for name in PLUGINS}


def _sources(found: python.Python, ld: Path) -> list[tuple[str, Path]]:
    modules = list(python.standard_library(found, plugins=True))
    package = Path(pybernetes.__file__).resolve().parent
    ours = [
        (path, file)
        for path, file in python.package(package)
        if path.count("/") == 1 or path.split("/")[1] in ("cni", "linux")
    ]
    native = [found.program, *(file for _, file in modules if file.suffix == ".so")]
    return [
        (f"bin/{found.program.name}", found.program),
        (f"lib/{ld.name}", ld),
        *((f"lib/{name}", place) for name, place in libraries.closure(ld, native).items()),
        *((f"lib/{found.name}/{path}", file) for path, file in [*modules, *ours]),
    ]


def _write(top: Path, files: list[File]) -> None:
    for file in files:
        path = top / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if not file.path.endswith((".pyc", ".py")) else 0o644)
