"""Build the container image of flanneld from the running installation: `pybernetes image build`.

| layer | content |
|---|---|
| system | shell, interpreter and its standard library, iptables and nft, and their libraries |
| packages | the distributions that flanneld imports |
| pybernetes | this program |

The order is from the lowest to the highest, so that a new version of this program changes only the smallest layer.
Programs have the paths of Go flannel's image: `/opt/bin/flanneld`, and a shell for `cp`.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pybernetes
from pybernetes.cluster.commands import run
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.images import shell_files
from pybernetes.cluster.oci import File, Image
from pybernetes.cluster.portable import libraries, python

REPOSITORY = "docker.io/pybernetes/flannel"
#: The distributions that flanneld and its command line import.
PACKAGES = ("aiohttp", "click", "cryptography", "grpcio", "msgspec", "numpy", "prometheus-client", "protobuf", "PyYAML")

_PREFIX = "usr/local"
_SBIN = "usr/sbin"
_XTABLES = {"nft": "xtables-nft-multi", "legacy": "xtables-legacy-multi"}
_COMMAND = """#!/usr/local/bin/{python} -sE
from pybernetes.cli.main import main

main()
"""
_FLANNELD = """#!/bin/sh
exec /usr/local/bin/pybernetes flanneld "$@"
"""


def default_name(version: str) -> str:
    """The image name in examples/flannel/kube-flannel.yml."""
    return f"{REPOSITORY}:v{version}"


def flannel_image(name: str, version: str) -> Image:
    """The image. Raises ConfigError that names a missing program and its package."""
    found = python.running()
    with tempfile.TemporaryDirectory(prefix="pybernetes-image-") as folder:
        system = _System(found, Path(folder))
        packages = [item for each in python.distributions(PACKAGES) for item in python.modules(each)]
        return Image(
            names=(name,),
            layers=(
                tuple(system.files([file for _, file in packages if file.suffix != ".py"])),
                tuple(_site_packages(found, packages)),
                tuple(_ours(found)),
            ),
            entrypoint=("/usr/local/bin/pybernetes",),
            cmd=("flanneld",),
            labels={
                "org.opencontainers.image.title": "flannel",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
            compressed=True,
        )


def _site_packages(found: python.Python, modules: Iterable[tuple[str, Path]]) -> Iterator[File]:
    for path, file in modules:
        yield python.as_file(f"{_PREFIX}/lib/{found.name}/site-packages/{path}", file)


def _ours(found: python.Python) -> Iterator[File]:
    yield from _site_packages(found, python.package(Path(pybernetes.__file__).resolve().parent))
    yield File(f"{_PREFIX}/bin/pybernetes", _COMMAND.format(python=found.name).encode(), 0o755)
    yield File("opt/bin/flanneld", _FLANNELD.encode(), 0o755)


class _System:
    """The lowest layer. Debug symbols are removed if `strip` is installed."""

    def __init__(self, found: python.Python, scratch: Path) -> None:
        self._python = found
        self._scratch = scratch
        self._strip = shutil.which("strip")

    def files(self, native: Collection[Path]) -> Iterator[File]:
        """All files. `native` are shared objects of the packages; libraries that they need and lack are added here."""
        found, ld = self._python, libraries.loader(self._python.program)
        modules = list(python.standard_library(found))
        tools = {name: _program(name, package) for name, package in _TOOLS.items()}
        plugins = _xtables_plugins(ld, tools[_XTABLES["nft"]])
        objects = [*(file for _, file in modules if file.suffix == ".so"), *native, *tools.values(), *plugins]
        needed = libraries.closure(ld, [found.program, *objects])
        yield from shell_files()
        yield self._copy(str(ld)[1:], ld)
        brought = {file.resolve() for file in native}
        for name, place in needed.items():
            if place.resolve() in brought:
                continue
            yield self._copy(f"{str(needed['libc.so.6'].parent)[1:]}/{name}", place)
        yield self._copy(f"{_PREFIX}/bin/{found.name}", found.program)
        for path, file in modules:
            target = f"{_PREFIX}/lib/{found.name}/{path}"
            yield self._copy(target, file) if file.suffix == ".so" else python.as_file(target, file)
        for name, file in tools.items():
            yield self._copy(f"{_SBIN}/{name}", file)
        for file in plugins:
            yield self._copy(str(file)[1:], file)
        yield from _iptables_links()

    def _copy(self, path: str, file: Path) -> File:
        if self._strip is None:
            return File(path, file.read_bytes(), 0o755)
        target = self._scratch / "stripped"
        run([self._strip, "--strip-unneeded", "-o", target, file])
        return File(path, target.read_bytes(), 0o755)


_TOOLS = {"nft": "nftables", **{program: "iptables" for program in _XTABLES.values()}}


def _program(name: str, package: str) -> Path:
    found = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        raise ConfigError(f"{name} is missing; install it with: apt-get install -y {package}")
    return Path(found).resolve()


def _xtables_plugins(ld: Path, program: Path) -> list[Path]:
    """The plugins for matches and targets, which iptables loads by name."""
    needed = libraries.closure(ld, [program])
    places = [place.parent / "xtables" for name, place in needed.items() if name.startswith("libxtables")]
    # iptables looks for them below /usr, whether or not /lib is a link to /usr/lib.
    folders = [Path("/usr") / str(place).removeprefix("/usr").lstrip("/") for place in places]
    return sorted(file for folder in folders for file in folder.glob("lib[ix]*.so"))


def _iptables_links() -> Iterator[File]:
    standard = Path(shutil.which("iptables", path="/usr/sbin:/sbin") or _XTABLES["nft"]).resolve().name
    for program in ("iptables", "ip6tables"):
        for ending in ("", "-save", "-restore"):
            for backend, target in _XTABLES.items():
                yield File(f"{_SBIN}/{program}-{backend}{ending}", link=target)
            yield File(f"{_SBIN}/{program}{ending}", link=standard)
