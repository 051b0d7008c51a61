"""Write container images: files in, an OCI image layout as a tar out. Pure; no daemon, no registry.

The same files always give the same digest: entries are sorted, owned by root and dated 1970. Layers are uncompressed
by default: unpacking is faster, and gzip's output may differ between versions.
Format: OCI image-spec 1.0, https://github.com/opencontainers/image-spec.
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass, field

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EPOCH = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}


@dataclass(frozen=True, slots=True)
class File:
    """A file; a symbolic link if `link` is set; a directory if the path ends in '/'."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its names, layers of files, and command."""

    names: tuple[str, ...]
    layers: tuple[tuple[File, ...], ...]
    """From the lowest to the highest. Layers that images share are stored and unpacked once."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    user: str = ""
    working_dir: str = ""
    ports: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    compressed: bool = False
    """Compress layers with gzip, for images that are pushed or copied."""


def architecture(machine: str | None = None) -> str:
    """The OCI name of this machine's architecture."""
    name = machine or platform.machine()
    return _ARCHITECTURES.get(name, name)


def image_tar(images: list[Image], arch: str) -> bytes:
    """An OCI image layout with these images, as the bytes of a tar."""
    blobs: dict[str, bytes] = {}
    entries = []
    for image in images:
        manifest = _add_manifest(image, arch, blobs)
        for name in image.names:
            entries.append({**manifest, "annotations": _name_annotations(name)})
    index = _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
    files = [
        File("blobs/"),
        File("blobs/sha256/"),
        File("index.json", index),
        File("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
    ]
    files += [File(f"blobs/sha256/{digest}", data) for digest, data in blobs.items()]
    return _tar(files)


def manifest_digest(image: Image, arch: str) -> str:
    """The digest at the end of a container's imageID in the pod's status."""
    return str(_add_manifest(image, arch, {})["digest"])


def _add_manifest(image: Image, arch: str, blobs: dict[str, bytes]) -> dict[str, object]:
    archives = [_tar(list(files)) for files in image.layers]
    config = _blob(_json(_config(image, arch, [_digest(archive) for archive in archives])), _CONFIG, blobs)
    layers = [_layer(archive, image.compressed, blobs) for archive in archives]
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
    reference = _blob(_json(manifest), _MANIFEST, blobs)
    return {**reference, "platform": {"architecture": arch, "os": "linux"}}


def _config(image: Image, arch: str, diff_ids: list[str]) -> dict[str, object]:
    process = {
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.cmd),
        "Env": list(image.env),
        "User": image.user,
        "WorkingDir": image.working_dir,
        "ExposedPorts": {port: {} for port in image.ports},
        "Labels": image.labels,
    }
    return {
        "created": _EPOCH,
        "architecture": arch,
        "os": "linux",
        "config": {key: value for key, value in process.items() if value},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": _EPOCH, "created_by": "pybernetes"} for _ in diff_ids],
    }


def _name_annotations(name: str) -> dict[str, str]:
    # containerd reads the full name from its own annotation; other tools read the tag from the OCI one.
    return {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }


def _layer(archive: bytes, compressed: bool, blobs: dict[str, bytes]) -> dict[str, object]:
    if compressed:
        return _blob(gzip.compress(archive, 6, mtime=0), f"{_LAYER}+gzip", blobs)
    return _blob(archive, _LAYER, blobs)


def _blob(data: bytes, media_type: str, blobs: dict[str, bytes]) -> dict[str, object]:
    digest = _digest(data)
    blobs[digest.removeprefix("sha256:")] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tar(files: list[File]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(files, key=lambda item: item.path):
            tar.addfile(*_entry(file))
    return buffer.getvalue()


def _entry(file: File) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
    info = tarfile.TarInfo(file.path.rstrip("/"))
    info.mode = file.mode
    if file.link is not None:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, file.link, 0o777
        return info, None
    if file.path.endswith("/"):
        info.type = tarfile.DIRTYPE
        # Directories need the execute bit; 0o644 is the default for files only.
        info.mode = 0o755 if file.mode == 0o644 else file.mode
        return info, None
    info.size = len(file.content)
    return info, io.BytesIO(file.content)
