"""Plugins and an image that run without an installed Python: in a root directory with nothing else."""

import ast
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import pybernetes
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.images import shell_files
from pybernetes.cluster.oci import File, Image, architecture, image_tar, manifest_digest
from pybernetes.cluster.portable import image, libraries, plugins, python
from pybernetes.cni.plugins import PLUGINS
from pybernetes.linux import netns


class TestLibraries:
    def test_the_output_of_the_loader(self) -> None:
        text = "\tlinux-vdso.so.1 (0x7)\n\tlibz.so.1 => /lib/libz.so.1 (0x7f)\n\t/ld.so.2 (0x8)\n\tlibx => not found\n"
        assert libraries.parse_list(text) == {"libz.so.1": Path("/lib/libz.so.1")}

    def test_all_libraries_of_a_program(self) -> None:
        found = python.running()
        needed = libraries.closure(libraries.loader(found.program), [found.program])
        assert "libc.so.6" in needed and all(place.exists() for place in needed.values())

    @pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x01\x01" + bytes(64)])
    def test_only_dynamic_programs_have_a_loader(self, content: bytes, tmp_path: Path) -> None:
        assert libraries.interpreter(content) == ""
        (tmp_path / "thing").write_bytes(content)
        with pytest.raises(ConfigError, match="thing is not a dynamically linked 64-bit program"):
            libraries.loader(tmp_path / "thing")


class TestByteCode:
    def test_byte_code_is_reproducible_and_importable(self, tmp_path: Path) -> None:
        source = b"NAMES = {'a', 'b', 'c'}\ndef twice(x): return 2 * x if x in {'p', 'q', 'r'} else x\n"
        script = (
            "import sys; from pybernetes.cluster.portable.python import byte_code;"
            " sys.stdout.buffer.write(byte_code(sys.stdin.buffer.read(), 'm.py'))"
        )
        runs = {
            subprocess.run([sys.executable, "-c", script], input=source, capture_output=True, check=True).stdout
            for _ in range(2)
        }
        assert len(runs) == 1
        (tmp_path / "made.pyc").write_bytes(runs.pop())
        command = [sys.executable, "-c", "import made; print(made.twice('p'))"]
        assert subprocess.check_output(command, cwd=tmp_path, text=True) == "pp\n"

    def test_files_that_are_not_python_stay_unchanged(self, tmp_path: Path) -> None:
        (tmp_path / "template.py").write_text("class {name}:\n")
        assert python.as_file("a/template.py", tmp_path / "template.py").path == "a/template.py"
        (tmp_path / "template.py").write_text("class Name: pass\n")
        assert python.as_file("a/template.py", tmp_path / "template.py").path == "a/template.pyc"

    def test_requirements_of_a_distribution_are_included(self) -> None:
        names = {found.name.lower() for found in python.distributions(["aiohttp"])}
        assert {"aiohttp", "yarl", "multidict"} <= names and "numpy" not in names
        assert python.distributions(["no-such-thing-here"]) == []


def other(path: Path) -> Path:
    path.write_text("#!/bin/sh\necho a stock plugin\n")
    path.chmod(0o755)
    return path


def imported(package: Path) -> set[str]:
    """Top-level names that the modules of a package import, at any place in them."""
    names = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"pybernetes"}


@pytest.mark.parametrize("package", ["flannel", "etcd", "client", "linux", "api", "cni"])
def test_the_image_has_every_package_that_is_imported(package: str) -> None:
    provided = {found.name for found in python.distributions(image.PACKAGES)}
    owners = importlib.metadata.packages_distributions()
    for name in imported(Path(pybernetes.__file__).parent / package):
        assert provided & set(owners.get(name, ())), (
            f"{name} is imported by {package}: add its distribution to PACKAGES"
        )


class TestInstall:
    def test_plugins_of_other_projects_are_kept(self, tmp_path: Path) -> None:
        other(tmp_path / "bridge")
        other(tmp_path / "flannel")
        done = plugins.install(tmp_path, self_contained=False)
        assert done.kept == ("bridge",) and set(done.written) == PLUGINS.keys() - {"bridge"}
        assert "stock" in (tmp_path / "bridge").read_text()
        assert plugins.install(tmp_path, self_contained=False, replace=True).kept == ()
        assert plugins.install(tmp_path, self_contained=False).kept == (), "our own are replaced"

    @pytest.mark.slow
    def test_the_previous_directory_survives_one_upgrade(self, tmp_path: Path) -> None:
        previous, stale = tmp_path / ".pybernetes-0123456789ab", tmp_path / ".pybernetes-ba9876543210"
        for folder in (previous, stale, tmp_path / ".pybernetes-0123456789ab.new"):
            folder.mkdir()
        (tmp_path / "bridge").write_text(f"#!/bin/sh\nexec pybernetes {previous}/bin/python3\n")
        plugins.install(tmp_path, self_contained=True)
        folders = {path.name for path in tmp_path.glob(".pybernetes-*")}
        assert previous.name in folders and stale.name not in folders and len(folders) == 2
        plugins.install(tmp_path, self_contained=True)
        assert len(list(tmp_path.glob(".pybernetes-*"))) == 1


@pytest.mark.slow
def test_an_installation_killed_at_any_moment_leaves_no_broken_plugin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pybernetes.cli.main", "cni", "install", "--self-contained", str(tmp_path)]

    def runs() -> bool:
        found = subprocess.run([tmp_path / "flannel"], env={"CNI_COMMAND": "VERSION"}, input=b"", capture_output=True)
        return found.returncode == 0 and b"supportedVersions" in found.stdout

    for number in range(6):
        install = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            install.wait(0.3 + 0.1 * number)
        except subprocess.TimeoutExpired:
            install.kill()
            install.wait()
        assert not (tmp_path / "flannel").exists() or runs()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert runs()
    left = {path.name for path in tmp_path.iterdir()} - PLUGINS.keys()
    assert len(left) == 1 and not left.pop().endswith(".new")


def unpack(files: tuple[File, ...], root: Path) -> None:
    archive = image_tar([Image(names=("test/root:1",), layers=(files,))], architecture())
    for layer in layers(archive):
        layer.extractall(root, filter="fully_trusted")


def layers(archive: bytes) -> list[tarfile.TarFile]:
    """The layers of the only image in an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

        def blob(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        def document(digest: str) -> dict[str, list[dict[str, str]]]:
            found: dict[str, list[dict[str, str]]] = json.loads(blob(f"blobs/sha256/{digest.removeprefix('sha256:')}"))
            return found

        (entry,) = json.loads(blob("index.json"))["manifests"]
        digests = [layer["digest"].removeprefix("sha256:") for layer in document(entry["digest"])["layers"]]
        return [tarfile.open(fileobj=io.BytesIO(blob(f"blobs/sha256/{digest}"))) for digest in digests]


def in_root(root: Path, *argv: str, net: str = "", stdin: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a chroot with the machine's processes and network namespaces."""
    script = """
        for each in proc dev run/netns; do mkdir -p "$0/$each"; mount --rbind "/$each" "$0/$each"; done
        exec chroot "$0" "$@"
    """
    command = ["unshare", "--mount", "sh", "-ec", script, str(root), *argv]
    full = netns.argv_in(net, command) if net else command
    return subprocess.run(
        full,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
    )


@pytest.fixture
def spaces() -> Iterator[tuple[str, str]]:
    """A node and a pod."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    with ExitStack() as stack:
        for name in (f"{tag}-node", f"{tag}-pod"):
            netns.create(name)
            stack.callback(netns.delete, name)
        yield f"{tag}-node", f"{tag}-pod"


@pytest.mark.kernel
@pytest.mark.slow
def test_a_machine_without_python_attaches_a_pod(tmp_path: Path, spaces: tuple[str, str]) -> None:
    node, pod = spaces
    unpack(shell_files(), tmp_path)
    plugins.install(tmp_path / "opt/cni/bin", self_contained=True)
    (tmp_path / "run/flannel").mkdir(parents=True)
    env = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    (tmp_path / "run/flannel/subnet.env").write_text(env)
    config = json.dumps(
        {"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "delegate": {"isDefaultGateway": True}}
    )
    call = {"CNI_CONTAINERID": "c1", "CNI_NETNS": f"/run/netns/{pod}", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}

    done = in_root(tmp_path, "/opt/cni/bin/flannel", net=node, stdin=config, CNI_COMMAND="ADD", **call)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ips"][0]["address"] == "10.244.7.2/24"
    assert (
        subprocess.run(netns.argv_in(pod, ["ping", "-c1", "-W5", "10.244.7.1"]), check=False, stdout=-3).returncode == 0
    )
    done = in_root(tmp_path, "/opt/cni/bin/flannel", net=node, stdin=config, CNI_COMMAND="DEL", **call)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not list((tmp_path / "var/lib/cni/networks/cbr0").glob("10.*")), "the address is free again"


@pytest.mark.slow
@pytest.mark.timeout(400)  # it compresses the image three times
def test_the_image_has_everything_that_flanneld_needs(tmp_path: Path) -> None:
    made = image.flannel_image(image.default_name("1.2.3"), "1.2.3")
    archive = image_tar([made], architecture())
    assert manifest_digest(image.flannel_image(made.names[0], "1.2.3"), architecture()) == manifest_digest(
        made, architecture()
    ), "the image is reproducible"
    for layer in layers(archive):
        layer.extractall(tmp_path, filter="fully_trusted")
    messages = {
        ("/opt/bin/flanneld", "--help"): "--kube-subnet-mgr",
        ("pybernetes", "--version"): "pybernetes",
        (python.running().name, "-c", "import numpy, grpc, cryptography.fernet as f; print(f)"): "fernet",
        ("nft", "--version"): "nftables",
        ("iptables-nft", "--version"): "nf_tables",
        ("ip6tables-legacy-restore", "--version"): "legacy",
        ("cp", "--help"): "BusyBox",
        ("pybernetes", "cni", "install", "--self-contained"): "installed in /opt/cni/bin: flannel, bridge",
    }
    for argv, words in messages.items():
        done = in_root(tmp_path, *argv, PATH="/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        assert done.returncode == 0 and words in done.stdout + done.stderr, (argv, done)
    # Outside of a pod it reports what is missing; in etcd mode all modules are loaded before that.
    done = in_root(tmp_path, "/opt/bin/flanneld", "--kube-subnet-mgr")
    assert done.returncode == 1 and "does not run in a pod" in done.stderr, done.stderr
    done = in_root(tmp_path, "/opt/bin/flanneld", "--etcd-endpoints=nonsense://")
    assert done.returncode == 1 and "--etcd-endpoints" in done.stderr, done.stderr
    version = {"CNI_COMMAND": "VERSION"}
    assert "1.0.0" in in_root(tmp_path, "/opt/cni/bin/bridge", stdin="{}", **version).stdout
