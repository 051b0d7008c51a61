"""Which of the machine's cached CNI results belong to a cluster."""

import base64
import json
from pathlib import Path

from pybernetes.cluster import cni_cache

RUN = Path("/run/pybernetes")


def _entry(results: Path, network: str, container: str, config: dict[str, object]) -> Path:
    path = results / f"{network}-{container}-eth0"
    text = base64.b64encode(json.dumps(config).encode()).decode()
    path.write_text(json.dumps({"kind": "cniCacheV1", "containerId": container, "config": text}))
    return path


def _pod(results: Path, container: str, subnet_file: str) -> set[Path]:
    config = {"plugins": [{"type": "flannel", "subnetFile": subnet_file}]}
    loopback = {"plugins": [{"type": "loopback"}]}
    return {
        _entry(results, "cbr0", container, config),
        _entry(results, "cni-loopback", container, loopback),
    }


def test_only_the_named_cluster_loses_its_entries(tmp_path: Path) -> None:
    results = tmp_path / "cni" / "results"
    results.mkdir(parents=True)
    mine = _pod(results, "aaa", f"{RUN}/dev/nodes/node-1/flannel/subnet.env")
    other = _pod(results, "bbb", f"{RUN}/dev-2/nodes/node-1/flannel/subnet.env")
    other |= _pod(results, "ccc", "/run/flannel/subnet.env")
    assert set(cni_cache.owned(RUN / "dev", results)) == mine
    cni_cache.remove(RUN / "dev", results)
    assert set(results.iterdir()) == other


def test_one_node_of_a_cluster(tmp_path: Path) -> None:
    first = _pod(tmp_path, "aaa", f"{RUN}/dev/nodes/node-1/flannel/subnet.env")
    _pod(tmp_path, "bbb", f"{RUN}/dev/nodes/node-10/flannel/subnet.env")
    assert set(cni_cache.owned(RUN / "dev" / "nodes" / "node-1", tmp_path)) == first


def test_unreadable_entries_and_the_shared_directory_stay(tmp_path: Path) -> None:
    results = tmp_path / "cni" / "results"
    results.mkdir(parents=True)
    for number, content in enumerate((b"", b"[]", b"{}", b"\xff", b'{"config": "*"}', b'{"config": 1}', b"null")):
        (results / str(number)).write_bytes(content)
    cni_cache.remove(RUN / "dev", results)
    assert len(list(results.iterdir())) == 7
    for path in results.iterdir():
        path.unlink()
    _pod(results, "aaa", f"{RUN}/dev/x")
    cni_cache.remove(RUN / "dev", results)
    assert list(results.iterdir()) == [], "another cluster's pods may be about to write here"
    results.rmdir()
    cni_cache.remove(RUN / "dev", results)
