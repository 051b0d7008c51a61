"""Check what this machine lacks for a cluster, and show the command that installs or enables it.

Each check is a function from a `Machine` to findings; `CHECKS` lists them in the order in which a user should fix
them. Only the Machine accesses the system.
"""

import os
import shutil
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from pybernetes.cluster.commands import run, succeeds
from pybernetes.cluster.containerd import CAP_SYS_RESOURCE, has_capability
from pybernetes.cluster.errors import ClusterError, MachineNotReady
from pybernetes.cluster.images import is_static
from pybernetes.cluster.layout import STATE_ROOT
from pybernetes.cluster.registry import FIRST_API_PORT, port_free

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NEEDED_BYTES = 2 << 30
_TIGHT_BYTES = 10 << 30
CAP_SYS_ADMIN, CAP_NET_ADMIN = 21, 12


class Verdict(Enum):
    """The result of a check."""

    OK = "ok"
    WARN = "warn"
    """A cluster starts, but some of its features will not work."""
    FAIL = "fail"
    """A cluster cannot start."""


class Finding(NamedTuple):
    """The result of one check, with details."""

    check: str
    verdict: Verdict
    detail: str
    fix: str = ""
    """The command that fixes the problem, or what to do if there is no such command; empty without a problem."""


class Machine:
    """What the checks read from the system. Tests replace it."""

    def which(self, program: str) -> str | None:
        """Path of a program, searched in PATH and the sbin directories."""
        return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SEARCH}")

    def first_line(self, argv: list[str]) -> str:
        """First line of a program's output; empty if it fails."""
        try:
            return run(argv, timeout=10).strip().partition("\n")[0]
        except ClusterError:
            return ""

    def try_command(self, argv: list[str]) -> bool:
        """Whether a command succeeds."""
        return succeeds(argv)

    def exists(self, path: str) -> bool:
        """Whether a file exists."""
        return Path(path).exists()

    def read(self, path: str) -> str:
        """Content of a file; empty if there is none."""
        try:
            return Path(path).read_text()
        except OSError:
            return ""

    def static(self, path: str) -> bool:
        """Whether a program is statically linked."""
        return is_static(Path(path).read_bytes())

    def is_root(self) -> bool:
        """Whether this process runs as root."""
        return os.geteuid() == 0

    def capability(self, number: int) -> bool:
        """Whether this process has a capability."""
        return has_capability(number)

    def free_bytes(self) -> int:
        """Free space on the disk with the state of clusters."""
        path = STATE_ROOT
        while not path.exists():
            path = path.parent
        return shutil.disk_usage(path).free

    def port_free(self, port: int) -> bool:
        """Whether a TCP port is free."""
        return port_free(port)

    def python(self) -> tuple[int, int]:
        """Version of this interpreter."""
        return sys.version_info[0], sys.version_info[1]


class _Program(NamedTuple):
    name: str
    package: str
    use: str
    needed: bool = True
    version: tuple[str, ...] = ()
    static: bool = False
    """It is copied into images, which have no libraries."""


_PROGRAMS = (
    _Program("containerd", "containerd", "runs containers", version=("--version",)),
    _Program("ctr", "containerd", "loads images"),
    _Program("runc", "runc", "starts containers", version=("--version",)),
    _Program("catatonit", "catatonit", "is the pause process of pods", static=True),
    _Program("busybox", "busybox-static", "is in the example images", static=True),
    _Program("ip", "iproute2", "creates links", version=("-V",)),
    _Program("nsenter", "util-linux", "enters namespaces"),
    _Program("nft", "nftables", "is needed for Services and masquerading", version=("--version",)),
    _Program("iptables", "iptables", "is needed for Services in iptables mode", needed=False, version=("--version",)),
    _Program("conntrack", "conntrack", "removes connections of deleted endpoints", needed=False),
    _Program("kubectl", "kubernetes-client", "is the command-line client of the cluster", needed=False),
)

_APT = "apt-get install -y"


def check_root(machine: Machine) -> list[Finding]:
    """Creating namespaces, links and mounts needs root."""
    if machine.is_root():
        return [Finding("root", Verdict.OK, "running as root")]
    return [Finding("root", Verdict.FAIL, "not running as root", "sudo pybernetes ...")]


def check_python(machine: Machine) -> list[Finding]:
    """The version of the Python interpreter."""
    version = machine.python()
    text = ".".join(str(part) for part in version)
    if version >= (3, 11):
        return [Finding("python", Verdict.OK, text)]
    fix = f"{_APT} python3.11 python3.11-venv"
    return [Finding("python", Verdict.FAIL, f"{text} is too old, 3.11 is needed", fix)]


def check_capabilities(machine: Machine) -> list[Finding]:
    """A container runtime may have dropped some capabilities."""
    findings = []
    for name, number in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN)):
        if not machine.capability(number):
            fix = "run outside of a container, or give it --privileged"
            findings.append(Finding("capabilities", Verdict.FAIL, f"{name} is missing", fix))
    if not machine.capability(CAP_SYS_RESOURCE):
        detail = "CAP_SYS_RESOURCE is missing: containers cannot get negative OOM scores (containerd is configured so)"
        findings.append(Finding("capabilities", Verdict.WARN, detail, "nothing to do, or run with --privileged"))
    return findings or [Finding("capabilities", Verdict.OK, "all needed ones are present")]


def check_programs(machine: Machine) -> list[Finding]:
    """Programs from the distribution's packages."""
    findings = []
    for program in _PROGRAMS:
        path = machine.which(program.name)
        if path is None:
            verdict = Verdict.FAIL if program.needed else Verdict.WARN
            detail = f"not found; it {program.use}"
            findings.append(Finding(program.name, verdict, detail, f"{_APT} {program.package}"))
        elif program.static and not machine.static(path):
            detail = f"{path} needs shared libraries; it must be static, because it {program.use}"
            findings.append(Finding(program.name, Verdict.FAIL, detail, f"{_APT} {program.package}"))
        else:
            version = machine.first_line([path, *program.version]) if program.version else ""
            findings.append(Finding(program.name, Verdict.OK, version or path))
    return findings


def check_kernel(machine: Machine) -> list[Finding]:
    """Kernel features, tried in a namespace that ends with the command."""
    findings = []
    links = {
        "veth": ["veth", "peer", "name", "pybtest1"],
        "bridge": ["bridge"],
        "vxlan": ["vxlan", "id", "1", "dstport", "8472"],
    }
    if not machine.try_command(["unshare", "--net", "true"]):
        fix = "run outside of a container, or give it --privileged"
        return [Finding("network namespaces", Verdict.FAIL, "cannot be created", fix)]
    findings.append(Finding("network namespaces", Verdict.OK, "can be created"))
    for name, kind in links.items():
        works = machine.try_command(["unshare", "--net", "ip", "link", "add", "pybtest0", "type", *kind])
        findings.append(_feature(name, works, f"modprobe {name}"))
    overlay = "overlay" in machine.read("/proc/filesystems")
    findings.append(_feature("overlayfs", overlay, "modprobe overlay"))
    return findings


def check_cgroups(machine: Machine) -> list[Finding]:
    """Limits of pods need the memory, cpu and pids controllers, in cgroup v1 or v2."""
    if machine.exists("/sys/fs/cgroup/cgroup.controllers"):
        have = set(machine.read("/sys/fs/cgroup/cgroup.controllers").split())
        version = "v2"
    else:
        names = ("memory", "cpu", "pids")
        have = {name for name in names if machine.exists(f"/sys/fs/cgroup/{name}/cgroup.procs")}
        version = "v1"
    missing = sorted({"memory", "cpu", "pids"} - have)
    if not missing:
        return [Finding("cgroups", Verdict.OK, version)]
    fix = "boot with cgroup_enable=memory, or mount the cgroups: apt-get install -y cgroupfs-mount"
    return [Finding("cgroups", Verdict.FAIL, f"{version} lacks {', '.join(missing)}", fix)]


def check_disk(machine: Machine) -> list[Finding]:
    """Images and the store need disk space."""
    free = machine.free_bytes()
    detail = f"{free / (1 << 30):.1f} GiB free at {STATE_ROOT}"
    if free >= _TIGHT_BYTES:
        return [Finding("disk", Verdict.OK, detail)]
    verdict = Verdict.WARN if free >= _NEEDED_BYTES else Verdict.FAIL
    return [
        Finding(
            "disk", verdict, f"{detail}, 10 are recommended and 2 required", f"free some space: du -xh -d2 {STATE_ROOT}"
        )
    ]


def check_ports(machine: Machine) -> list[Finding]:
    """The API server's port. If it is in use, `up` takes the next free one."""
    if machine.port_free(FIRST_API_PORT):
        return [Finding("port", Verdict.OK, f"{FIRST_API_PORT} is free")]
    detail = f"{FIRST_API_PORT} is in use; a new cluster takes the next free port"
    return [Finding("port", Verdict.WARN, detail, f"ss -ltnp 'sport = :{FIRST_API_PORT}'")]


def check_forwarding(machine: Machine) -> list[Finding]:
    """Nodes reach other networks through the host, whose firewall may drop forwarded packets."""
    forward = machine.read("/proc/sys/net/ipv4/ip_forward").strip()
    detail = "on" if forward == "1" else "off; 'up' enables it and the last 'down' disables it again"
    findings = [Finding("ip_forward", Verdict.OK, detail)]
    path = machine.which("iptables")
    policy = machine.first_line([path, "-S", "FORWARD"]) if path else ""
    if policy.endswith("DROP"):
        detail = "the host drops forwarded packets (Docker sets this policy): nodes cannot pull images"
        fix = "iptables -I FORWARD -s 10.89.0.0/16 -j ACCEPT && iptables -I FORWARD -d 10.89.0.0/16 -j ACCEPT"
        findings.append(Finding("firewall", Verdict.WARN, detail, fix))
    return findings


def check_resolver(machine: Machine) -> list[Finding]:
    """Nodes have their own loopback, so they cannot reach a resolver on the host's loopback."""
    words = [line.split() for line in machine.read("/etc/resolv.conf").splitlines()]
    servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    if servers and all(server.startswith("127.") or server == "::1" for server in servers):
        detail = f"/etc/resolv.conf names only {servers[0]}: nodes cannot look up image registries"
        fix = "ln -sf /run/systemd/resolve/resolv.conf /etc/resolv.conf"
        return [Finding("resolver", Verdict.WARN, detail, fix)]
    return [Finding("resolver", Verdict.OK, ", ".join(servers) or "none")]


CHECKS: tuple[Callable[[Machine], list[Finding]], ...] = (
    # Without root, the later ones would fail for the same reason.
    check_root,
    check_python,
    check_capabilities,
    check_programs,
    check_kernel,
    check_cgroups,
    check_disk,
    check_ports,
    check_forwarding,
    check_resolver,
)


def examine(machine: Machine | None = None) -> list[Finding]:
    """Run every check; without root only the first."""
    machine = machine or Machine()
    findings: list[Finding] = []
    for check in CHECKS:
        findings += check(machine)
        if check is check_root and findings[-1].verdict is Verdict.FAIL:
            break
    return findings


def require(machine: Machine | None = None) -> None:
    """Raise MachineNotReady, with all fixes, if a check fails."""
    failed = [finding for finding in examine(machine) if finding.verdict is Verdict.FAIL]
    if failed:
        lines = [f"  {finding.check}: {finding.detail}; fix it with: {finding.fix}" for finding in failed]
        raise MachineNotReady("this machine does not meet the requirements of a cluster:\n" + "\n".join(lines))


def missing_packages(findings: list[Finding]) -> list[str]:
    """The Debian packages that are missing."""
    names = [finding.fix.removeprefix(_APT).split() for finding in findings if finding.fix.startswith(_APT)]
    return sorted({name for group in names for name in group})


def _feature(name: str, works: bool, fix: str) -> Finding:
    if works:
        return Finding(name, Verdict.OK, "in the kernel")
    return Finding(name, Verdict.FAIL, "the kernel does not have it", fix)
