"""A real etcd on loopback, for tests and benchmarks: one member, free ports, its data in a temporary directory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


@dataclass
class EtcdServer:
    """Started on entering, killed on leaving; `kill` and `start` in between play an outage."""

    directory: Path
    certificates: Path | None = None
    """A directory with ca.pem, server.pem and server.key: serve TLS and demand client certificates."""
    flags: tuple[str, ...] = ()
    name: str = "pbt"
    peers: tuple[str, ...] = ()
    """All members as NAME=URL; empty for a cluster of one."""
    process: subprocess.Popen[bytes] | None = None
    ports: list[int] = field(default_factory=lambda: free_ports(2))

    @property
    def url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        peer = f"http://127.0.0.1:{self.ports[1]}"
        command = [shutil.which("etcd") or "etcd", f"--name={self.name}", f"--data-dir={self.directory}"]
        command += [f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"]
        command += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        command += [f"--initial-cluster={','.join(self.peers) or f'{self.name}={peer}'}"]
        command += ["--logger=zap", "--log-level=error", *self.flags]
        if self.certificates:
            command += [f"--cert-file={self.certificates}/server.pem", f"--key-file={self.certificates}/server.key"]
            command += [f"--trusted-ca-file={self.certificates}/ca.pem", "--client-cert-auth"]
        self.directory.parent.mkdir(exist_ok=True)
        with (self.directory.parent / "etcd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        """Until the port is open: etcd opens it when it has a leader."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.ports[0]), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError((self.directory.parent / "etcd.log").read_text())

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
