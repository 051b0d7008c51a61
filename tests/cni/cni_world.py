"""A node and pods as network namespaces, and plugins run as a container runtime runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from pybernetes.linux import netns

STOCK = Path("/usr/lib/cni")


class World:
    """One node with its CNI directories below `root`, and pods created on demand."""

    def __init__(self, root: Path, bin_dir: Path, prefix: str) -> None:
        self.root = root
        self.bin_dir = bin_dir
        self.prefix = prefix
        self.node = self.make("node")
        self.subnet_file = root / "subnet.env"
        self.write_subnet_env()

    def make(self, name: str) -> str:
        full = f"{self.prefix}-{name}"
        netns.ensure(full)
        return full

    def close(self) -> None:
        for name in netns.list_names():
            if name.startswith(f"{self.prefix}-"):
                netns.delete(name)

    def write_subnet_env(self, **values: str) -> None:
        lines = {
            "FLANNEL_NETWORK": "172.20.0.0/16",
            "FLANNEL_SUBNET": "172.20.1.1/24",
            "FLANNEL_MTU": "1450",
            "FLANNEL_IPMASQ": "true",
        } | values
        self.subnet_file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))

    def flannel(self, version: str = "1.0.0", **delegate: Any) -> dict[str, Any]:
        """A configuration of the flannel plugin."""
        return {
            "cniVersion": version,
            "name": "cbr0",
            "type": "flannel",
            "subnetFile": str(self.subnet_file),
            "dataDir": str(self.root / "flannel"),
            "ipam": {"dataDir": str(self.root / "networks")},
            "delegate": {"hairpinMode": True, "isDefaultGateway": True, **delegate},
        }

    def bridge(self, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
        """A bridge with host-local that the stock plugins accept as well."""
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": "172.20.1.0/24"}]],
            "dataDir": str(self.root / "networks"),
        }
        base = {"cniVersion": version, "name": "cbr0", "type": "bridge", "bridge": "cni0", "ipam": ipam}
        return {**base, "isDefaultGateway": True, "hairpinMode": True, "mtu": 1450, **more}

    @property
    def addresses(self) -> set[str]:
        """The addresses that host-local has reserved."""
        directory = self.root / "networks" / "cbr0"
        names = {path.name for path in directory.iterdir()} if directory.exists() else set()
        return {name for name in names if name[0].isdigit() or ":" in name}

    def start(
        self, plugin: str, command: str, config: Any, pod: str, *, bin_dir: Path | None = None, **env: str
    ) -> subprocess.Popen[bytes]:
        directory = bin_dir or self.bin_dir
        process = netns.popen_in(
            self.node,
            [str(directory / plugin)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "CNI_COMMAND": command,
                "CNI_CONTAINERID": pod,
                "CNI_NETNS": f"/run/netns/{self.prefix}-{pod}",
                "CNI_IFNAME": "eth0",
                "CNI_PATH": str(directory),
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                **env,
            },
        )
        assert process.stdin
        process.stdin.write(config if isinstance(config, bytes) else json.dumps(config).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def call(self, plugin: str, command: str, config: Any, pod: str, **options: Any) -> dict[str, Any]:
        """Run a plugin, which must succeed; returns its result."""
        process = self.start(plugin, command, config, pod, **options)
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        answer: dict[str, Any] = json.loads(out) if out.strip() else {}
        return answer

    def fails(self, plugin: str, command: str, config: Any, pod: str, **options: Any) -> dict[str, Any]:
        """Run a plugin, which must fail; returns the error object."""
        process = self.start(plugin, command, config, pod, **options)
        out, err = process.communicate()
        assert process.returncode == 1, (out, err)
        answer: dict[str, Any] = json.loads(out)
        assert {"cniVersion", "code", "msg"} <= set(answer)
        return answer

    def run(self, name: str, *argv: str) -> str:
        """Run a command in a namespace; returns its output, regardless of the exit code."""
        process = netns.popen_in(f"{self.prefix}-{name}", argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return process.communicate()[0].decode()
