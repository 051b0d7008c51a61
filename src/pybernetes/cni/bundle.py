"""The byte code of all plugins in one file, so that a launcher opens one file instead of sixty.

    installer -> __pycache__/plugins.<tag> -> launcher -> sys.meta_path

The file: four bytes with the length of the next part; (code of this module, {module: Entry}); the modules' code.

Searching sys.path for a module and reading it takes 0.2 ms; finding it here takes a tenth of that. A module whose
source has changed is imported in the ordinary way, so the bundle is never stale.
"""

from __future__ import annotations

import marshal
import posix
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import CodeType, ModuleType

Entry = tuple[str, int, int, int, int]
"""(source file, its size, its modification time in ns, offset of its byte code, length of its byte code).

Sources of this package are relative to the folder that contains it: it may be mounted elsewhere when plugins run.
"""

STANDARD = ("_struct", "_socket", "_json", "_ctypes", "fcntl")
"""Modules of the standard library that plugins import. Of those in C the bundle has only the path."""


class Bundle:
    """Finds and loads modules in an open bundle; first in sys.meta_path."""

    def __init__(self, parent: str, file: int, start: int, entries: Mapping[str, Entry]) -> None:
        self._parent = parent
        self._file = file
        self._start = start
        self._entries = entries

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module's spec; None if it is not in the bundle, or its source has changed."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        source, size, changed, _, _ = entry
        if source[0] != "/":
            source = f"{self._parent}/{source}"
        try:
            found = posix.stat(source)
        except OSError:
            return None
        if found.st_size != size or found.st_mtime_ns != changed:
            return None
        if source.endswith(".so"):
            return ModuleSpec(name, ExtensionFileLoader(name, source), origin=source)
        package = source.endswith("/__init__.py")
        spec = ModuleSpec(name, self, origin=source, is_package=package)  # type: ignore[arg-type]
        if package:
            spec.submodule_search_locations = [source[: -len("/__init__.py")]]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Use an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        _, _, _, offset, length = self._entries[module.__name__]
        exec(marshal.loads(posix.pread(self._file, length, self._start + offset)), module.__dict__)


def path_of(package: Path, tag: str) -> Path:
    """The path of an interpreter's bundle (`tag` is sys.implementation.cache_tag)."""
    return package / "cni" / "__pycache__" / f"plugins.{tag}"


def is_current(package: Path, roots: list[str], path: Path) -> bool:
    """Whether the bundle contains the roots, and no source has changed."""
    try:
        data = path.read_bytes()
        _, entries = marshal.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
        found = Bundle(str(package.parent), -1, 0, entries)
        return all(found.find_spec(name) is not None for name in [*roots, *entries])
    except (OSError, ValueError, TypeError, EOFError):
        return False


def write(package: Path, roots: list[str], path: Path) -> None:
    """Bundle the modules `roots` and everything of this package that they import, atomically."""
    entries: dict[str, Entry] = {}
    codes: list[bytes] = []
    offset = 0
    for name, source in _reachable(package, roots).items():
        # stat before reading: a change in between makes the entry stale rather than wrong.
        found = source.stat()
        code = marshal.dumps(_code(source)) if source.suffix == ".py" else b""
        place = source.relative_to(package.parent) if source.is_relative_to(package.parent) else source
        entries[name] = (str(place), found.st_size, found.st_mtime_ns, offset, len(code))
        codes.append(code)
        offset += len(code)
    head = marshal.dumps((_code(package / "cni" / "bundle.py"), entries))
    path.parent.mkdir(exist_ok=True)
    staging = path.with_name(f"{path.name}.{posix.getpid()}")
    staging.write_bytes(b"".join([len(head).to_bytes(4, "little"), head, *codes]))
    staging.replace(path)


def _code(source: Path) -> CodeType:
    """Compile without docstrings, and with the `annotations` flag in place of the import of __future__."""
    import ast

    tree = ast.parse(source.read_bytes(), str(source))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    tree.body = [node for node in tree.body if node not in future]
    flags = annotations.compiler_flag if future else 0
    code: CodeType = compile(tree, str(source), "exec", flags=flags, dont_inherit=True, optimize=2)
    return code


def _reachable(package: Path, roots: list[str]) -> dict[str, Path]:
    """{module: source} of the roots, of this package's modules that they may import, and of STANDARD."""
    found = {name: source for name in STANDARD if (source := _standard(name))}
    waiting = ["pybernetes", *roots]
    while waiting:
        name = waiting.pop()
        base = package.joinpath(*name.split(".")[1:])
        source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if name not in found and source.is_file():
            found[name] = source
            waiting += _imported(source)
    return found


def _imported(source: Path) -> Iterator[str]:
    """Names in import statements that may be modules of this package."""
    import ast

    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pybernetes"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pybernetes."))


def _standard(name: str) -> Path | None:
    """The file of a module; None if it is built into the interpreter."""
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec(name)
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
