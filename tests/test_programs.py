"""Every program that the code and its tests start is installed by tools/install.sh or part of every Debian system."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

#: Program -> Debian package. An empty name: the package is on every Debian system (essential or required).
PACKAGES = {
    "apt-get": "",
    "bash": "",
    "cat": "",
    "dpkg": "",
    "env": "",
    "kill": "",
    "ldd": "",
    "mount": "",
    "readlink": "",
    "script": "",
    "sed": "",
    "setpriv": "",
    "setsid": "",
    "sh": "",
    "sleep": "",
    "tail": "",
    "timeout": "",
    "true": "",
    "umount": "",
    "unshare": "",
    "bird": "bird2",
    "birdc": "bird2",
    "bridge": "iproute2",
    "busybox": "busybox-static",
    "catatonit": "catatonit",
    "charon-systemd": "charon-systemd",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "ctr": "containerd",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "ethtool": "ethtool",
    "ip": "iproute2",
    "ip6tables": "iptables",
    "ip6tables-restore": "iptables",
    "ip6tables-save": "iptables",
    "ipset": "ipset",
    "iptables": "iptables",
    "iptables-legacy": "iptables",
    "iptables-legacy-save": "iptables",
    "iptables-restore": "iptables",
    "iptables-save": "iptables",
    "kubectl": "kubernetes-client",
    "nft": "nftables",
    "nsenter": "util-linux",
    "pgrep": "procps",
    "ping": "iputils-ping",
    "python3": "python3",
    "qemu-system-x86_64": "qemu-system-x86",
    "runc": "runc",
    "ss": "iproute2",
    "sysctl": "procps",
    "systemd-analyze": "systemd",
    "tc": "iproute2",
}
#: Backends that need these refuse to start without them, and `pybernetes doctor` names the packages.
OPTIONAL = {"bird2", "charon-systemd"}
#: Programs that tests name because they do not exist, and those that are used only where they exist.
NO_PROGRAM = {"no-such-tool", "pbt-no-such-program", "strip"}
STARTERS = {
    "subprocess.run",
    "subprocess.Popen",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "asyncio.create_subprocess_exec",
    "shutil.which",
}


def installed(*, dev: bool) -> set[str]:
    """The packages that tools/install.sh installs, with or without those for development."""
    text = (ROOT / "tools/install.sh").read_text()
    lists = re.findall(r'^\s*wanted="([^"]*)"', text, re.MULTILINE)
    assert len(lists) == 2, "the list for users and the list for development"
    words = " ".join(lists if dev else lists[:1]).split()
    return {word.partition(":")[2] for word in words if ":" in word} | set(re.findall(r'\$missing ([\w-]+)"', text))


@cache
def trees(folder: str) -> tuple[tuple[str, ast.Module], ...]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths)


def strings(node: ast.AST) -> Iterator[str]:
    """String constants of an expression, the constant parts of f-strings included."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def started(folder: str) -> dict[str, str]:
    """Known programs in argument lists and where they are; in tests, also in command lines that a helper splits."""
    found: dict[str, str] = {}
    for path, tree in trees(folder):
        if path == "tests/test_programs.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.List | ast.Tuple):
                texts = [each.value for each in node.elts if isinstance(each, ast.Constant)]
                words = [text for text in texts if isinstance(text, str)]
            elif isinstance(node, ast.Call) and folder != "src":
                words = [word for argument in node.args for text in strings(argument) for word in text.split()]
            else:
                continue
            for word in words:
                if word in PACKAGES:
                    found.setdefault(word, f"{path}:{node.lineno}")
    return found


def started_directly(folder: str) -> Iterator[tuple[str, str]]:
    """The first word of each constant argument list that is handed to a function of the standard library."""
    for path, tree in trees(folder):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in STARTERS or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.List | ast.Tuple) and first.elts:
                first = first.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, f"{path}:{node.lineno}"


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "examples", "tools"])
def test_every_program_has_a_known_package(folder: str) -> None:
    unknown = [f"{where}: {word}" for word, where in started_directly(folder) if word not in {*PACKAGES, *NO_PROGRAM}]
    assert unknown == [], "add the program and its package to PACKAGES"


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "examples"])
def test_the_installer_installs_what_is_started(folder: str) -> None:
    there = installed(dev=folder in ("tests", "bench")) | {"", *(OPTIONAL if folder == "src" else ())}
    missing = {
        f"{where}: {word}": PACKAGES[word] for word, where in started(folder).items() if PACKAGES[word] not in there
    }
    assert missing == {}, "tools/install.sh does not install these"
