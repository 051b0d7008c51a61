"""The demonstration from start to end, and every manifest in examples/."""

import re
import sys
from pathlib import Path

import yaml

from e2e.conftest import Cluster, Kubectl, run_raw

ROOT = Path(__file__).resolve().parents[2]


def test_the_demonstration(tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("demo")  # type: ignore[attr-defined]
    demo = Cluster("e2e-demo", folder / "kubeconfig")
    demo.down()
    try:
        env = {**demo.env, "PYBERNETES_DEMO_CLUSTER": demo.name}
        for _ in range(2):  # it can be run again
            done = run_raw([sys.executable, str(ROOT / "examples/hello/demo.py")], env=env, timeout=180)
            assert done.returncode == 0, done.stdout + done.stderr
        for node in ("node-1", "node-2", "node-3"):
            assert re.search(rf"answered by hello-\S+ on {node}, which saw the caller as 10\.244\.", done.stdout)
        for word in ("dev flannel.1", "lladdr", "self permanent", "no address translation", "Try:"):
            assert word in done.stdout
    finally:
        demo.down()


def test_every_manifest_is_accepted(kubectl: Kubectl) -> None:
    manifests = sorted(ROOT.glob("examples/**/*.yaml"))
    assert manifests
    for path in manifests:
        kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
        assert all(isinstance(doc, dict) for doc in yaml.safe_load_all(path.read_text()))
