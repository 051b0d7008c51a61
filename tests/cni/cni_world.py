"""A node and pods as network namespaces, and plugins run as a runtime runs them: environment and stdin."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from pybernetes.linux import netns

STOCK = Path("/usr/lib/cni")


class World:
    """One node, its CNI directories below `root`, and pods made on demand."""

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
        """The configuration of our flannel plugin, as the runtime hands it over."""
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
        """A plain bridge with host-local, that stock plugins take as well."""
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": "172.20.1.0/24"}]],
            "dataDir": str(self.root / "networks"),
        }
        base = {"cniVersion": version, "name": "cbr0", "type": "bridge", "bridge": "cni0", "ipam": ipam}
        return {**base, "isDefaultGateway": True, "hairpinMode": True, "mtu": 1450, **more}

    @property
    def addresses(self) -> set[str]:
        """What host-local has on record."""
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
        """The plugin's answer, which must be a success."""
        process = self.start(plugin, command, config, pod, **options)
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        answer: dict[str, Any] = json.loads(out) if out.strip() else {}
        return answer

    def fails(self, plugin: str, command: str, config: Any, pod: str, **options: Any) -> dict[str, Any]:
        """The error object of a call that must fail."""
        process = self.start(plugin, command, config, pod, **options)
        out, err = process.communicate()
        assert process.returncode == 1, (out, err)
        answer: dict[str, Any] = json.loads(out)
        assert {"cniVersion", "code", "msg"} <= set(answer)
        return answer

    def run(self, name: str, *argv: str) -> str:
        """A command in a namespace; its output, whatever its exit code."""
        process = netns.popen_in(f"{self.prefix}-{name}", argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return process.communicate()[0].decode()
