"""docs/tasks/standalone.md: run its commands unchanged, on a machine with etcd and without Kubernetes."""

import os
import re
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import parse
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tasks/standalone.md").read_text()
UNIT = ROOT / "examples/flannel/flanneld.service"

#: Make everything that the page writes to private. It ends with the script, like all processes that the script starts.
PRIVATE = """
mount -t tmpfs none /run
mount -t tmpfs none /opt
mkdir /run/etc /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
trap 'kill $(jobs -p); wait' EXIT
etcd --data-dir "$0" >"$0.log" 2>&1 &
until etcdctl endpoint health 2>/dev/null; do sleep 0.1; done
"""


def section(heading: str) -> str:
    """The commands of a section: its indented lines."""
    text = PAGE[PAGE.index(f"\n## {heading}") + 1 :].partition("\n## ")[0]
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    return "\n".join(textwrap.dedent(block) for block in blocks if block.strip())


@pytest.fixture
def machine() -> Iterator[str]:
    """A network namespace with eth0, and a namespace for its veth peer."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    with ExitStack() as stack:
        for name in (tag, f"{tag}-wire"):
            netns.create(name)
            stack.callback(netns.delete, name)
        peer = netns.open_fd(tag)
        try:
            with Netlink(f"{tag}-wire") as nl:
                link.add_veth(nl, "wire", "eth0", peer_netns=peer)
                link.set_up(nl, "wire")
        finally:
            os.close(peer)
        with Netlink(tag) as nl:
            link.set_up(nl, "lo")
            link.set_up(nl, "eth0")
            addr.add(nl, link.link(nl, "eth0").index, "192.0.2.1/24")
        yield tag


@pytest.mark.kernel
@pytest.mark.slow
def test_with_etcd_and_without_kubernetes(machine: str, tmp_path: Path) -> None:
    commands = section("With etcd, without Kubernetes")
    waiting = "until curl -sf http://127.0.0.1:10268/readyz >/dev/null; do sleep 0.1; done\n"
    script = PRIVATE + commands.replace("curl", waiting + "curl", 1)
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    command = ["timeout", "60", "unshare", "--mount", "bash", "-ec", script, str(tmp_path / "etcd")]
    done = subprocess.run(
        netns.argv_in(machine, command),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path, "ETCDCTL_API": "3"},
    )
    output = done.stdout
    assert done.returncode == 0, output + done.stderr
    subnet = re.search(r"FLANNEL_SUBNET=(10\.5\.\d+)\.1/24\n", output)
    assert subnet is not None, output
    assert f"/coreos.com/network/subnets/{subnet[1]}.0-24\n" in output and '"PublicIP":"192.0.2.1"' in output
    assert "vxlan id 1 local 192.0.2.1 dev eth0" in output
    assert "installed in /opt/cni/bin: flannel, bridge" in output
    metrics = re.search(r"^ok(\d+)$", output, re.MULTILINE)
    assert metrics is not None and int(metrics[1]) > 10, output


def test_the_systemd_unit_is_valid(tmp_path: Path) -> None:
    text = UNIT.read_text()
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/usr/local/bin/pybernetes", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_flags_of_the_unit_exist() -> None:
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT.read_text(), re.MULTILINE)
    words = [*line.split(), "--help"]
    done = subprocess.run([sys.executable, "-m", "pybernetes.cli.main", *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_dual_stack_differs_only_in_the_network() -> None:
    def objects(command: list[str]) -> dict[str, Any]:
        text = subprocess.check_output(command, text=True)
        return {each["kind"]: each for each in yaml.safe_load_all(text)}

    plain = objects(["cat", str(ROOT / "examples/flannel/kube-flannel.yml")])
    assert objects(["kubectl", "kustomize", str(ROOT / "examples/flannel")]) == plain
    dual = objects(["kubectl", "kustomize", str(ROOT / "examples/flannel-dual-stack")])
    network = parse(dual["ConfigMap"]["data"].pop("net-conf.json"), frozenset(BACKENDS))
    assert [family.version for family in network.families] == [4, 6]
    network = parse(plain["ConfigMap"]["data"].pop("net-conf.json"), frozenset(BACKENDS))
    assert [family.version for family in network.families] == [4]
    assert dual == plain


def test_the_page_names_the_manifest() -> None:
    assert "kubectl apply -f examples/flannel/kube-flannel.yml" in section("On any Kubernetes")
    assert (ROOT / "examples/flannel/kube-flannel.yml").exists()
