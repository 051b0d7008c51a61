"""Build the images that every cluster has, from static programs of the distribution.

image_load.py loads them into nodes.

pause holds a pod's namespaces; busybox is a shell with applets; hello is an example server that shows which pod on
which node responded, and the client's address. They are built once into a cache.
"""

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.commands import run
from pybernetes.cluster.containerd import PAUSE_IMAGE
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.oci import File, Image, architecture, image_tar

BUSYBOX_IMAGE = "docker.io/library/busybox"
HELLO_IMAGE = "docker.io/pybernetes/hello"
HELLO_PORT = 8080

_PT_INTERP = 3
_FORMAT = "2"
"""Part of the cache key: increase it if the same programs should give a different image."""

# busybox httpd reports "[::ffff:10.244.1.2]" for an IPv4 client of its IPv6 socket.
# The response is plain text, so that `wget -qO-` in a pod, curl and people see the same lines.
_HELLO_CGI = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "pod: ${POD_NAME:-$(hostname)}"
echo "node: ${NODE_NAME:-unknown}"
client=${REMOTE_ADDR#\\[}
client=${client%\\]}
echo "client: ${client#::ffff:}"
"""
_OK_CGI = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo ok
"""
# busybox httpd serves "/" from /www/index.* or, without it, from this program.
_HELLO_START = f"""#!/bin/sh
trap 'kill "$server"; exit 0' TERM INT
busybox httpd -f -p "${{PORT:-{HELLO_PORT}}}" -h /www &
server=$!
wait "$server"
"""


@dataclass(frozen=True, slots=True)
class ImageTar:
    """An archive on disk and the image names in it."""

    path: Path
    names: tuple[str, ...]


def pause_image(program: bytes) -> Image:
    """The first process of a pod: `catatonit -P` sleeps and reaps zombies."""
    return Image(names=(PAUSE_IMAGE,), layers=((File("pause", program, 0o755),),), entrypoint=("/pause", "-P"))


def busybox_image(program: bytes, applets: list[str]) -> Image:
    """busybox with a link for each applet, an empty /tmp, and users root and nobody."""
    return Image(
        names=(f"{BUSYBOX_IMAGE}:latest", f"{BUSYBOX_IMAGE}:1.36"),
        layers=(_busybox_files(program, applets),),
        cmd=("sh",),
    )


def hello_image(program: bytes, applets: list[str]) -> Image:
    """An HTTP server on port 8080: '/' shows the pod, its node and the client; /healthz and /readyz return ok."""
    files = (
        File("hello", _HELLO_START.encode(), 0o755),
        File("www/", mode=0o755),
        File("www/cgi-bin/", mode=0o755),
        File("www/cgi-bin/index.cgi", _HELLO_CGI.encode(), 0o755),
        File("www/cgi-bin/ok", _OK_CGI.encode(), 0o755),
        File("www/healthz", b"ok\n"),
        File("www/readyz", b"ok\n"),
    )
    return Image(
        names=(f"{HELLO_IMAGE}:latest", f"{HELLO_IMAGE}:1.0"),
        layers=(_busybox_files(program, applets), files),
        entrypoint=("/hello",),
        ports=(f"{HELLO_PORT}/tcp",),
    )


def standard_images(cache_dir: Path) -> list[ImageTar]:
    """Build (or find in the cache) one archive with pause, busybox and hello."""
    busybox = _static_program("busybox", "busybox-static")
    pause = _static_program("catatonit", "catatonit")
    key = hashlib.sha256()
    for part in (_FORMAT.encode(), _HELLO_CGI.encode(), _HELLO_START.encode(), busybox, pause):
        key.update(hashlib.sha256(part).digest())
    path = cache_dir / f"standard-{architecture()}-{key.hexdigest()[:16]}.tar"
    applets = run(["busybox", "--list"]).split()
    images = [pause_image(pause), busybox_image(busybox, applets), hello_image(busybox, applets)]
    if not path.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        write_atomic(path, image_tar(images, architecture()))
    return [ImageTar(path, tuple(name for image in images for name in image.names))]


def shell_files() -> tuple[File, ...]:
    """A shell with the usual small programs, as the base of other images. Raises ConfigError."""
    return _busybox_files(_static_program("busybox", "busybox-static"), run(["busybox", "--list"]).split())


def _busybox_files(program: bytes, applets: list[str]) -> tuple[File, ...]:
    links = [File(f"bin/{name}", link="busybox") for name in applets if name != "busybox"]
    return (
        File("bin/", mode=0o755),
        File("bin/busybox", program, 0o755),
        *links,
        File("etc/", mode=0o755),
        File("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        File("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
        File("root/", mode=0o700),
        File("tmp/", mode=stat.S_ISVTX | 0o777),
        File("var/", mode=0o755),
    )


def _static_program(name: str, package: str) -> bytes:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise ConfigError(f"{name} is missing; install it with: apt-get install -y {package}")
    data = Path(found).read_bytes()
    if not is_static(data):
        raise ConfigError(f"{found} is not a static program; install one with: apt-get install -y {package}")
    return data


def is_static(elf: bytes) -> bool:
    """Whether this is a 64-bit little-endian ELF program that needs no interpreter (no PT_INTERP header)."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return False
    offset = int.from_bytes(elf[32:40], "little")
    size = int.from_bytes(elf[54:56], "little")
    count = int.from_bytes(elf[56:58], "little")
    kinds = (int.from_bytes(elf[offset + i * size : offset + i * size + 4], "little") for i in range(count))
    return _PT_INTERP not in kinds
