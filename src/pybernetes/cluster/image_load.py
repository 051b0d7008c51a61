"""Load image archives into the containerds of nodes, all nodes concurrently."""

import json
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pybernetes.cluster.commands import run
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.images import ImageTar

_NAMESPACE = "k8s.io"
"""The containerd namespace in which the CRI plugin looks for images."""
_IMPORT_TIMEOUT = 600.0
_AT_ONCE = 8


def read_archive(path: Path) -> ImageTar:
    """Find the full names of the images in an archive.

    Accepts an OCI image layout or the output of `docker save`; raises ConfigError for anything else.
    """
    hint = "give an archive as written by 'docker save', 'podman save' or an OCI image layout in a tar"
    try:
        with tarfile.open(path) as tar:
            members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
            for name, reader in (("manifest.json", _docker_names), ("index.json", _oci_names)):
                file = tar.extractfile(members[name]) if name in members else None
                names = reader(json.load(file)) if file is not None else []
                if names:
                    return ImageTar(path, tuple(dict.fromkeys(full_name(found) for found in names)))
    except (OSError, tarfile.TarError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"cannot read images from {path}: {error}; {hint}") from error
    raise ConfigError(f"{path} contains no image with a name; {hint}")


def full_name(name: str) -> str:
    """The name with registry, repository and tag, as containerd stores it: 'web' is 'docker.io/library/web:latest'."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def present(socket: Path) -> set[str]:
    """Names of the images in the containerd with this socket."""
    return set(run([*_ctr(socket), "images", "ls", "-q"]).split())


def load(socket: Path, archive: ImageTar) -> None:
    """Import an archive into one node, replacing images of the same names."""
    command = [*_ctr(socket), "images", "import", str(archive.path)]
    run(command, timeout=_IMPORT_TIMEOUT)


def ensure(socket: Path, archives: Sequence[ImageTar]) -> int:
    """Load the archives with images that the node lacks; returns how many."""
    have = present(socket)
    missing = [archive for archive in archives if not have.issuperset(archive.names)]
    for archive in missing:
        load(socket, archive)
    return len(missing)


def load_everywhere(sockets: Sequence[Path], archives: Sequence[ImageTar], *, only_missing: bool = False) -> None:
    """Load archives into many nodes concurrently; raises the first failure after all have finished."""

    def one(socket: Path) -> None:
        if only_missing:
            ensure(socket, archives)
        else:
            for archive in archives:
                load(socket, archive)

    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="image-load") as pool:
        for _ in pool.map(one, sockets):
            pass


def _ctr(socket: Path) -> list[str]:
    return ["ctr", "--address", str(socket), "--namespace", _NAMESPACE]


def _docker_names(manifest: list[dict[str, list[str] | None]]) -> list[str]:
    return [tag for entry in manifest for tag in entry.get("RepoTags") or []]


def _oci_names(index: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    names = []
    for entry in index["manifests"]:
        notes = entry.get("annotations") or {}
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
        names += [name] if name else []
    return names
