"""Image garbage collection and registry credentials."""

import pytest

from pybernetes.kubelet.image_gc import removable
from pybernetes.kubelet.images import docker_auths
from pybernetes.kubelet.runtime import ImageInfo


def test_images_to_remove() -> None:
    images = [ImageInfo(id=n, tags=(f"r/{n}:1",), size=10) for n in ("old", "older", "used", "fresh")]
    images.append(ImageInfo(id="p", tags=("r/pause:3",), size=10))
    last = {"old": 5.0, "older": 1.0, "used": 0.0, "fresh": 99.0, "p": 0.0}
    assert [i.id for i in removable(images, {"r/used:1"}, last, 11, 50.0)] == ["older", "old"]
    assert [i.id for i in removable(images, {"r/used:1"}, last, 10, 50.0)] == ["older"]
    assert removable(images, set(), last, 0, 50.0) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'"x"', b'{"auths": 5}', b'{"auths": {"r": {"auth": "%"}}}'])
def test_invalid_docker_configurations_have_no_credentials(text: bytes) -> None:
    assert list(docker_auths(text)) == []


def test_docker_configuration() -> None:
    text = b'{"auths": {"https://reg.example/v1/": {"auth": "dXNlcjpwYXNz"}}}'
    registry, auth = next(docker_auths(text))
    assert (registry, auth.username, auth.password) == ("https://reg.example/v1/", "user", "pass")
