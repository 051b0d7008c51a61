"""The files of the running interpreter: its program, its standard library and packages as byte code.

Byte code is stored in place of the source (`os.pyc`), so that the interpreter finds it with one lookup and writes
nothing at run time. The same sources give the same byte code: it has no dates and uses an older format of marshal,
which does not depend on interned strings.
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
#: Parts that the plugins do not need: cryptography, most text encodings, developer tools.
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
    """The directory of its extension modules."""

    @property
    def name(self) -> str:
        """`python3.11`"""
        return self.library.name


def running() -> Python:
    """The interpreter of this process, outside of any virtual environment."""
    library = Path(sysconfig.get_path("stdlib")).resolve()
    native = library / "lib-dynload"
    return Python(Path(os.path.realpath(sys.executable)), library, native)


def standard_library(python: Python, *, plugins: bool = False) -> Iterator[tuple[str, Path]]:
    """Modules of the standard library, as (relative path, file); with `plugins` only those that CNI plugins need."""
    for path, file in _below(python.library, _NEVER | (_PLUGINS_LACK if plugins else set())):
        if path.startswith("lib-dynload/"):
            name = file.name
            if _NEVER_NATIVE.match(name) or (plugins and _PLUGINS_LACK_NATIVE.match(name)):
                continue
        elif path.startswith("config-"):
            continue
        yield path, file


def package(folder: Path) -> Iterator[tuple[str, Path]]:
    """Modules of a package, as (path relative to its parent directory, file)."""
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
    """The installed distributions of these names and all their requirements without extras, sorted by name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name = re.split(r"[^A-Za-z0-9._-]", todo.pop())[0].lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system or Python version
        todo += [line for line in found[name].requires or () if "extra ==" not in line]
    return [found[name] for name in sorted(found)]


def modules(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Modules of a distribution and the libraries that it bundles, as (path below site-packages, file)."""
    for entry in distribution.files or ():
        path, code = str(entry), entry.suffix in (".py", ".so") or ".so." in entry.name
        if code and not path.startswith("..") and not set(entry.parts) & {"__pycache__", "tests"}:
            yield path, Path(str(distribution.locate_file(entry)))


def as_file(path: str, file: Path) -> File:
    """A module as a File: sources become byte code, other files and unparsable sources stay unchanged."""
    if file.suffix == ".py":
        with suppress(SyntaxError):
            return File(f"{path}c", byte_code(file.read_bytes(), path))
    return File(path, file.read_bytes(), 0o755 if file.suffix == ".so" else 0o644)


def byte_code(source: bytes, name: str) -> bytes:
    """The content of a .pyc file that is valid whatever the date of its source."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code, 2)
