"""Features that the host's kernel may lack, in Debian's cloud kernel: each boot runs some of the tests in `inside`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from vm import machine
from vm.guest_kernel import GuestKernel, KernelMissing, needs
from vm.machine import MachineError, run

IPSEC = ("veth", "bridge", "vxlan", "nf_tables", "xfrm_user", "xfrm_interface", "esp4", "esp6")
IPSEC += (
    "gcm",
    "ghash_generic",
    "ctr",
    "crypto_null",
    "drbg",
    "jitterentropy_rng",
    "seqiv",
    "echainiv",
    "authenc",
    "sha512_generic",
)
TUNNELS = ("ipip", "wireguard", "veth", "bridge", "vxlan", "tun", "nf_tables")


def vm_tests(paths: str, *modules: str, timeout: float, files: Sequence[Path] = ()) -> None:
    """Run a selection of tests in the machine; fails with their output."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--timeout=600", *paths.split()]
    result = run(command, modules=modules, timeout=timeout, files=files)
    if result.code != 0 or " passed" not in result.output:
        pytest.fail(f"in the virtual machine:\n{result.output}", pytrace=False)


@pytest.mark.vm
@pytest.mark.slow
def test_tunnels() -> None:
    """IPIP and WireGuard: devices, backends, repair, switching."""
    vm_tests("tests/vm/inside/test_backends.py tests/vm/inside/test_devices.py", *TUNNELS, timeout=240)


def strongswan() -> list[Path]:
    """charon, its libraries and plugins."""
    programs = [Path("/usr/sbin/charon-systemd"), Path("/usr/bin/setpriv")]
    return [*programs, *(path for path in Path("/usr/lib/ipsec").rglob("*") if not path.is_dir())]


@pytest.mark.vm
@pytest.mark.slow
def test_ipsec() -> None:
    """Tunnels by strongSwan: packets, repair, switching."""
    vm_tests("tests/vm/inside/test_ipsec.py", *IPSEC, timeout=420, files=strongswan())


@pytest.mark.vm
@pytest.mark.slow
def test_ipvlan() -> None:
    """The CNI plugin, mixed with the stock one."""
    stock = [Path("/usr/lib/cni", plugin) for plugin in ("ipvlan", "host-local", "static")]
    world = [machine.REPOSITORY / "tests" / "cni" / name for name in ("__init__.py", "cni_world.py")]
    modules = ("ipvlan", "veth", "bridge")
    vm_tests("tests/vm/inside/test_ipvlan.py", *modules, timeout=400, files=[*stock, *world])


@pytest.mark.vm
@pytest.mark.slow
def test_modules_and_exit_codes() -> None:
    """The machine itself: another kernel, its modules, no network, and the command's exit code."""
    script = """
    echo "kernel $(uname -r)"
    for kind in dummy wireguard; do /usr/sbin/ip link add try-$kind type $kind && echo "made $kind"; done
    /usr/sbin/ip link add try-ipip type ipip local 192.0.2.1 && echo "made ipip"
    /usr/sbin/ip link add try-ipvlan link try-dummy type ipvlan && echo "made ipvlan"
    grep -q IPVS /proc/modules || grep -q '^ip_vs ' /proc/modules && echo "made ip_vs"
    ls /sys/class/net | grep -c '^eth'
    echo "to stderr" >&2
    exit 7
    """
    modules = ("dummy", "ipip", "wireguard", "ipvlan", "ip_vs", "ip_vs_rr")
    result = run(["sh", "-c", script], modules=modules, python=False, timeout=60)
    assert result.code == 7, result.output
    lines = result.output.splitlines()
    assert f"kernel {GuestKernel.find().modules.name}" in lines
    made = {line.removeprefix("made ") for line in lines if line.startswith("made ")}
    assert made == {"dummy", "ipip", "wireguard", "ipvlan", "ip_vs"}, result.output
    assert "0" in lines and "to stderr" in lines
    assert os.uname().release not in result.output


# -- without a boot --------------------------------------------------------------------------------------
def test_a_missing_kernel_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KernelMissing, match=r"run tools/install\.sh dev"):
        run(["true"], modules=())


def test_a_missing_emulator_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "QEMU", "qemu-of-another-world")
    with pytest.raises(MachineError, match=r"qemu-of-another-world is missing: run tools/install\.sh dev"):
        run(["true"], modules=())


def fake_kernel(tmp_path: Path, modules: dict[str, str]) -> GuestKernel:
    for name, depends in modules.items():
        file = tmp_path / "kernel" / "net" / f"{name}.ko"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\x7fELF...\0license=GPL\0depends=" + depends.encode() + b"\0name=" + name.encode() + b"\0")
    (tmp_path / "modules.builtin").write_text("kernel/net/packet/af_packet.ko\n")
    return GuestKernel(tmp_path / "vmlinuz", tmp_path)


def test_modules_are_loaded_after_those_that_they_need(tmp_path: Path) -> None:
    kernel = fake_kernel(tmp_path, {"ipip": "ip_tunnel,tunnel4", "ip_tunnel": "", "tunnel4": "", "lib-x": "ipip"})
    assert [path.stem for path in kernel.in_order(["lib_x", "af-packet", "ipip"])] == [
        "ip_tunnel",
        "tunnel4",
        "ipip",
        "lib-x",
    ]
    with pytest.raises(KernelMissing, match="has no module nonsense"):
        kernel.in_order(["nonsense"])


@pytest.mark.parametrize(
    ("module", "found"), [(b"", []), (b"\0depends=\0", []), (b"\0depends=a,b-c\0", ["a", "b_c"]), (b"\xff" * 99, [])]
)
def test_what_a_module_needs(module: bytes, found: list[str]) -> None:
    assert needs(module) == found
