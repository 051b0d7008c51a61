"""`doctor` reports what is missing together with the command that fixes it."""

import pytest

from pybernetes.cluster.doctor import Finding, Machine, Verdict, examine, missing_packages, require
from pybernetes.cluster.errors import MachineNotReady


class Ideal(Machine):
    """A machine that has everything; tests remove things."""

    programs_missing: frozenset[str] = frozenset()
    root = True
    free = 100 << 30
    busy_port = False
    version = (3, 11)
    capabilities_missing: frozenset[int] = frozenset()
    commands_failing = ""
    forward_policy = "-P FORWARD ACCEPT"
    filesystems = "overlay"
    cgroup_controllers = "cpu memory pids"
    dynamic = ""
    nameserver = "192.0.2.53"

    def which(self, program: str) -> str | None:
        return None if program in self.programs_missing else f"/bin/{program}"

    def first_line(self, argv: list[str]) -> str:
        return self.forward_policy if "FORWARD" in argv else "1.0"

    def try_command(self, argv: list[str]) -> bool:
        return not self.commands_failing or self.commands_failing not in argv

    def exists(self, path: str) -> bool:
        return path.endswith("cgroup.controllers")

    def read(self, path: str) -> str:
        if path.endswith("cgroup.controllers"):
            return self.cgroup_controllers
        if path == "/etc/resolv.conf":
            return f"# servers\nnameserver {self.nameserver}\n"
        return self.filesystems if "filesystems" in path else "0"

    def static(self, path: str) -> bool:
        return path != self.dynamic

    def is_root(self) -> bool:
        return self.root

    def capability(self, number: int) -> bool:
        return number not in self.capabilities_missing

    def free_bytes(self) -> int:
        return self.free

    def port_free(self, port: int) -> bool:
        return not self.busy_port

    def python(self) -> tuple[int, int]:
        return self.version


def bad(machine: Machine) -> list[Finding]:
    return [finding for finding in examine(machine) if finding.verdict is not Verdict.OK]


def test_an_ideal_machine_lacks_nothing() -> None:
    assert bad(Ideal()) == []


@pytest.mark.parametrize(
    ("attribute", "value", "check", "verdict", "fix"),
    [
        ("root", False, "root", Verdict.FAIL, "sudo"),
        ("version", (3, 9), "python", Verdict.FAIL, "apt-get install -y python3.11"),
        ("programs_missing", frozenset({"runc"}), "runc", Verdict.FAIL, "apt-get install -y runc"),
        ("programs_missing", frozenset({"kubectl"}), "kubectl", Verdict.WARN, "kubernetes-client"),
        ("dynamic", "/bin/busybox", "busybox", Verdict.FAIL, "busybox-static"),
        ("capabilities_missing", frozenset({24}), "capabilities", Verdict.WARN, "--privileged"),
        ("capabilities_missing", frozenset({12}), "capabilities", Verdict.FAIL, "--privileged"),
        ("commands_failing", "vxlan", "vxlan", Verdict.FAIL, "modprobe vxlan"),
        ("commands_failing", "true", "network namespaces", Verdict.FAIL, "--privileged"),
        ("filesystems", "ext4", "overlayfs", Verdict.FAIL, "modprobe overlay"),
        ("cgroup_controllers", "cpu pids", "cgroups", Verdict.FAIL, "cgroup_enable=memory"),
        ("free", 5 << 30, "disk", Verdict.WARN, "du"),
        ("free", 1 << 30, "disk", Verdict.FAIL, "du"),
        ("busy_port", True, "port", Verdict.WARN, "ss -ltnp"),
        ("nameserver", "127.0.0.53", "resolver", Verdict.WARN, "resolv.conf"),
        ("forward_policy", "-P FORWARD DROP", "firewall", Verdict.WARN, "iptables -I FORWARD"),
    ],
)
def test_each_problem_is_found(attribute: str, value: object, check: str, verdict: Verdict, fix: str) -> None:
    machine = Ideal()
    setattr(machine, attribute, value)
    [finding] = bad(machine)
    assert (finding.check, finding.verdict) == (check, verdict)
    assert fix in finding.fix


def test_all_missing_packages_in_one_command() -> None:
    machine = Ideal()
    machine.programs_missing = frozenset({"containerd", "ctr", "nft"})
    assert missing_packages(examine(machine)) == ["containerd", "nftables"]


def test_all_failures_are_reported_together() -> None:
    machine = Ideal()
    require(machine)
    machine.programs_missing = frozenset({"runc", "nft", "kubectl"})
    with pytest.raises(MachineNotReady) as caught:
        require(machine)
    assert "apt-get install -y runc" in str(caught.value)
    assert "apt-get install -y nftables" in str(caught.value)
    assert "kubectl" not in str(caught.value)


@pytest.mark.kernel
def test_this_machine() -> None:
    findings = examine()
    assert not [finding for finding in findings if finding.verdict is Verdict.FAIL]
