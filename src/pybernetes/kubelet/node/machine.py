"""Capacity, pressure and system information of this machine, from the kernel."""

import os
import platform
from pathlib import Path

from pybernetes.api.core.node import NodeSystemInfo
from pybernetes.api.quantity import milli, value
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.node.node_object import Pressure

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}
_PRESSURE_MEMORY = 100 << 20
_PRESSURE_DISK_PERCENT = 10
_PRESSURE_PIDS_PERCENT = 5


def architecture() -> str:
    """`amd64`"""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def capacity(config: KubeletConfig) -> dict[str, str]:
    """The machine's cpu, memory, ephemeral-storage and pods. The configuration's values take precedence."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    config.root_dir.mkdir(parents=True, exist_ok=True)
    disk = os.statvfs(config.root_dir)
    found = {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "memory": f"{memory // 1024}Ki",
        "pods": str(config.max_pods),
    }
    return {**found, **config.capacity}


def allocatable(config: KubeletConfig, amounts: dict[str, str]) -> dict[str, str]:
    """Capacity minus reserved resources."""
    result = dict(amounts)
    for name, reserved in config.reserved.items():
        if name == "cpu":
            result[name] = f"{max(milli(result.get(name, '0')) - milli(reserved), 0)}m"
        else:
            left = max(value(result.get(name, "0")) - value(reserved), 0)
            result[name] = f"{left // 1024}Ki" if name != "pods" else str(left)
    return result


def pressure(config: KubeletConfig) -> Pressure:
    """Check memory, the kubelet's disk, and process ids."""
    disk = os.statvfs(config.root_dir)
    full = disk.f_bavail * 100 < disk.f_blocks * _PRESSURE_DISK_PERCENT if disk.f_blocks else False
    limit = int(_read("/proc/sys/kernel/pid_max") or "0")
    used = int((_read("/proc/loadavg").split() or ["", "", "", "0/0"])[3].partition("/")[2] or "0")
    return Pressure(
        memory=0 <= _available_memory() < _PRESSURE_MEMORY,
        disk=full,
        pids=bool(limit) and (limit - used) * 100 < limit * _PRESSURE_PIDS_PERCENT,
    )


def _available_memory() -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return -1


def system_info(config: KubeletConfig, runtime_version: str) -> NodeSystemInfo:
    """The Node's nodeInfo."""
    return NodeSystemInfo(
        architecture=architecture(),
        boot_id=_read("/proc/sys/kernel/random/boot_id").strip(),
        container_runtime_version=runtime_version,
        kernel_version=platform.release(),
        kube_proxy_version=config.kubelet_version,
        kubelet_version=config.kubelet_version,
        machine_id=_read("/etc/machine-id").strip(),
        operating_system="linux",
        os_image=_os_image(),
        system_uuid=_read("/sys/class/dmi/id/product_uuid").strip(),
    )


def _os_image() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
