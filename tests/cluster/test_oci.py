"""Images that we build: reproducible, and as the specification requires."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.image_load import full_name, read_archive
from pybernetes.cluster.images import is_static, standard_images
from pybernetes.cluster.oci import File, Image, architecture, image_tar, manifest_digest

IMAGE = Image(
    names=("docker.io/library/x:1", "docker.io/library/x:latest"),
    layers=((File("bin/"), File("bin/sh", b"#!", 0o755), File("bin/ash", link="sh")), (File("etc", b"e"),)),
    entrypoint=("/bin/sh",),
)


def read(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: f.read() for m in tar.getmembers() if (f := tar.extractfile(m)) is not None}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert image_tar([IMAGE], "amd64") == image_tar([IMAGE], "amd64")
    reordered = Image(IMAGE.names, (IMAGE.layers[0][::-1], IMAGE.layers[1]), IMAGE.entrypoint)
    assert manifest_digest(reordered, "amd64") == manifest_digest(IMAGE, "amd64")
    assert manifest_digest(IMAGE, "arm64") != manifest_digest(IMAGE, "amd64")


def test_index_manifest_config_and_layers_refer_to_each_other() -> None:
    files = read(image_tar([IMAGE], "amd64"))
    index = json.loads(files["index.json"])
    assert len(index["manifests"]) == 2
    digest = index["manifests"][0]["digest"]
    assert digest == manifest_digest(IMAGE, "amd64")
    manifest = json.loads(files[f"blobs/sha256/{digest.removeprefix('sha256:')}"])
    config = json.loads(files[f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}"])
    assert [layer["digest"] for layer in manifest["layers"]] == config["rootfs"]["diff_ids"]
    assert config["config"]["Entrypoint"] == ["/bin/sh"]
    layer = files[f"blobs/sha256/{manifest['layers'][0]['digest'].removeprefix('sha256:')}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert [(m.name, m.mode, m.mtime, m.uid) for m in tar.getmembers()] == [
            ("bin", 0o755, 0, 0),
            ("bin/ash", 0o777, 0, 0),
            ("bin/sh", 0o755, 0, 0),
        ]


def test_standard_images_are_built_once(tmp_path: Path) -> None:
    [first] = standard_images(tmp_path)
    stamp = first.path.stat().st_mtime_ns
    [second] = standard_images(tmp_path)
    assert first == second
    assert second.path.stat().st_mtime_ns == stamp
    assert read_archive(first.path).names == first.names


def test_names_of_a_docker_archive(tmp_path: Path) -> None:
    path = tmp_path / "saved.tar"
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["web", "quay.io/a/b:2"], "Layers": []}]).encode()
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(manifest)
        tar.addfile(info, io.BytesIO(manifest))
    assert read_archive(path).names == ("docker.io/library/web:latest", "quay.io/a/b:2")


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, None])
def test_a_file_that_is_not_an_archive_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="docker save"):
        read_archive(path)


@pytest.mark.parametrize("text", ["[", "5", '[{"RepoTags": 5}]', '[{"RepoTags": []}]', "{}"])
def test_an_archive_with_an_invalid_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    with pytest.raises(ConfigError, match=r"bad\.tar"):
        read_archive(path)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("web", "docker.io/library/web:latest"),
        ("me/web:1", "docker.io/me/web:1"),
        ("localhost/web", "localhost/web:latest"),
        ("registry:5000/web", "registry:5000/web:latest"),
        ("a.io/b@sha256:00", "a.io/b@sha256:00"),
    ],
)
def test_full_names(short: str, full: str) -> None:
    assert full_name(short) == full


def test_static_and_dynamic_programs() -> None:
    assert is_static(Path("/usr/bin/catatonit").read_bytes())
    assert not is_static(Path("/bin/ls").resolve().read_bytes())
    assert not is_static(b"#!/bin/sh")
    assert architecture("x86_64") == "amd64"
    assert architecture() == subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
