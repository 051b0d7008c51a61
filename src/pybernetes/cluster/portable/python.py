"""The running interpreter as files: its program, its standard library as byte code, packages beside it.

Byte code lies where the source would (`os.pyc`), so nothing is looked for twice and nothing is written at run
time. It is the same for the same sources: marshal's older format, which does not depend on what is interned
already, and no dates.
"""

import importlib.metadata
import importlib.util
import marshal
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.oci import File

_UNCHECKED = (1).to_bytes(4, "little")
#: Parts of the standard library that no component uses.
_NEVER = {
    *("__phello__", "__pycache__", "site-packages", "dist-packages", "test", "tests"),
    *("distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "sqlite3", "tkinter", "turtle", "turtledemo"),
    *("unittest", "venv", "xmlrpc"),
}
_NEVER_NATIVE = re.compile(
    "_(crypt|ctypes_test|curses|dbm|gdbm|sqlite3|test|tkinter|xx)|audioop|nis|ossaudio|readline|spwd|xx"
)
#: What the plugins do without: cryptography, encodings of texts that no kernel prints, tools for developers.
_PLUGINS_LACK = {
    *("asyncio", "curses", "dbm", "email", "html", "http", "logging", "multiprocessing", "pdb", "pydoc", "urllib"),
    "xml",
}
_PLUGINS_LACK_NATIVE = re.compile(
    "_(asyncio|bz2|codecs|datetime|decimal|elementtree|hashlib|lzma|ssl|uuid|zoneinfo)|pyexpat"
)


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter."""

    program: Path
    library: Path
    """Its standard library."""
    native: Path
    """Its modules that are shared objects."""

    @property
    def name(self) -> str:
        """`python3.11`"""
        return self.library.name


def running() -> Python:
    """The interpreter of this process, past any virtual environment."""
    library = Path(sysconfig.get_path("stdlib")).resolve()
    native = library / "lib-dynload"
    return Python(Path(os.path.realpath(sys.executable)), library, native)


def standard_library(python: Python, *, plugins: bool = False) -> Iterator[tuple[str, Path]]:
    """Modules of the standard library, as (path below it, file); with `plugins` only what CNI plugins may need."""
    for path, file in _below(python.library, _NEVER | (_PLUGINS_LACK if plugins else set())):
        if path.startswith("lib-dynload/"):
            name = file.name
            if _NEVER_NATIVE.match(name) or (plugins and _PLUGINS_LACK_NATIVE.match(name)):
                continue
        elif path.startswith("config-"):
            continue
        yield path, file


def package(folder: Path) -> Iterator[tuple[str, Path]]:
    """Modules of a package, as (path below the folder that holds it, file)."""
    for path, file in _below(folder, {"__pycache__"}):
        yield f"{folder.name}/{path}", file


def _below(top: Path, leave_out: set[str]) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in leave_out)
        for name in sorted(files):
            stem, dot, kind = name.partition(".")
            if stem not in leave_out and dot and kind.rpartition(".")[2] in ("py", "pyc", "so"):
                file = Path(folder) / name
                yield str(file.relative_to(top)), file


def distributions(names: Iterable[str]) -> list[importlib.metadata.Distribution]:
    """Installed distributions of these names and all that they require, extras aside; by name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name = re.split(r"[^A-Za-z0-9._-]", todo.pop())[0].lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # meant for another system or Python
        todo += [line for line in found[name].requires or () if "extra ==" not in line]
    return [found[name] for name in sorted(found)]


def modules(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Modules of a distribution and the libraries that it brings, as (path below site-packages, file)."""
    for entry in distribution.files or ():
        path, code = str(entry), entry.suffix in (".py", ".so") or ".so." in entry.name
        if code and not path.startswith("..") and not set(entry.parts) & {"__pycache__", "tests"}:
            yield path, Path(str(distribution.locate_file(entry)))


def as_file(path: str, file: Path) -> File:
    """A module as a file to be: source as byte code, all else as it is; so is what only looks like a module."""
    if file.suffix == ".py":
        with suppress(SyntaxError):
            return File(f"{path}c", byte_code(file.read_bytes(), path))
    return File(path, file.read_bytes(), 0o755 if file.suffix == ".so" else 0o644)


def byte_code(source: bytes, name: str) -> bytes:
    """The content of a .pyc file that is valid whatever its date."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code, 2)
