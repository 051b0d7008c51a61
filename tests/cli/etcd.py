"""A real etcd with one member on loopback."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from .assembly import free_port


class EtcdServer:
    """Runs until the context exits."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port, self._peer_port = free_port(), free_port()

    @property
    def url(self) -> str:
        """The client URL."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        peer = f"http://127.0.0.1:{self._peer_port}"
        argv = [shutil.which("etcd") or "/usr/bin/etcd", "--name=pbt", f"--data-dir={self._directory}"]
        argv += [f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"]
        argv += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=pbt={peer}"]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                # etcd opens the port when it has a leader.
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError("etcd did not come up")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
