"""Which sockets of shims are removed."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster.shims import listens, remove_shim_sockets


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="pbt-") as name:
        yield Path(name)


def _bundle(run: Path, container: str, address: Path) -> None:
    bundle = run / "containerd/io.containerd.runtime.v2.task/k8s.io" / container
    bundle.mkdir(parents=True)
    (bundle / "address").write_text(f"unix://{address}")


def test_only_sockets_of_dead_shims_are_removed(top: Path) -> None:
    folder = top / "s"
    folder.mkdir()
    alive, dead, others = folder / "alive", folder / "dead", folder / "others"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(alive))
        living.listen()
        for path in (dead, others):
            with socket.socket(socket.AF_UNIX) as past:
                past.bind(str(path))
        elsewhere = top / "elsewhere"
        elsewhere.write_text("not a socket of a shim")
        for number, path in enumerate((alive, dead, elsewhere, folder / "gone")):
            _bundle(top / "run", str(number), path)
        assert listens(alive) and not listens(dead)
        remove_shim_sockets(top / "run", only_dead=True, folder=folder)
        assert sorted(path.name for path in folder.iterdir()) == ["alive", "others"]
        remove_shim_sockets(top / "run", folder=folder)
        assert [path.name for path in folder.iterdir()] == ["others"]
        assert elsewhere.exists()
