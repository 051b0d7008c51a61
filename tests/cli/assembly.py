"""A cluster assembled from separate processes on loopback, as an administrator of a stock cluster would do it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from pybernetes.client import kubeconfig as reader
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.kubeconfig import kubeconfig, write
from pybernetes.cluster.pki import Pki

SANS = ("localhost", "127.0.0.1", "kubernetes.default.svc")
PATIENCE = 30.0


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Assembly:
    """Certificates, kubeconfigs and the processes started so far."""

    def __init__(self, directory: Path, *, netns: str = "") -> None:
        self.directory = directory
        self.prefix = ("nsenter", f"--net=/run/netns/{netns}") if netns else ()
        self.port = free_port()
        self.pki = Pki(directory / "pki")
        self.pki.ensure_control_plane(SANS)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("super-admin", "controller-manager", "scheduler", "kube-proxy", "flannel"):
            self.write_kubeconfig(name)

    @property
    def url(self) -> str:
        """The API server."""
        return f"https://127.0.0.1:{self.port}"

    def write_kubeconfig(self, name: str) -> Path:
        """The kubeconfig of a component."""
        pair = self.pki.pair(name)
        ca = self.pki.ca_certificate.read_bytes()
        path = self.directory / f"{name.replace('/', '-')}.conf"
        certificate, key = pair.certificate.read_bytes(), pair.key.read_bytes()
        write(path, kubeconfig("pbt", self.url, ca=ca, certificate=certificate, key=key))
        return path

    def start(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start `pybernetes <arguments>` under the name that the test gives; its output goes to <name>.log."""
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "pybernetes.cli.main", *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        self.processes[name] = process
        return process

    def log(self, name: str) -> str:
        """The output of a process."""
        return (self.directory / f"{name}.log").read_text()

    def apiserver(self, *state: str) -> subprocess.Popen[bytes]:
        """Start the API server and wait until it is ready."""
        pair, kubelet = self.pki.pair("apiserver"), self.pki.pair("apiserver-kubelet-client")
        process = self.start(
            "apiserver",
            "apiserver",
            *(state or (f"--data-dir={self.directory / 'state'}",)),
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={pair.certificate}",
            f"--tls-private-key-file={pair.key}",
            f"--client-ca-file={self.pki.ca_certificate}",
            f"--service-account-key-file={self.pki.service_account_public_key}",
            f"--service-account-signing-key-file={self.pki.service_account_key}",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            f"--kubelet-certificate-authority={self.pki.ca_certificate}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
        )
        self.wait("the API server", lambda: "ok" in self.kubectl("get", "--raw", "/readyz", check=False), "apiserver")
        return process

    def controller_manager(self) -> subprocess.Popen[bytes]:
        """Start the controllers, as kubeadm does."""
        return self.start(
            "controller-manager",
            "controller-manager",
            f"--kubeconfig={self.directory / 'controller-manager.conf'}",
            "--leader-elect=true",
            "--cluster-cidr=10.244.0.0/16",
            "--allocate-node-cidrs=true",
            f"--root-ca-file={self.pki.ca_certificate}",
            f"--service-account-private-key-file={self.pki.service_account_key}",
            "--use-service-account-credentials=true",
            "--secure-port=0",
        )

    def scheduler(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Start a scheduler that takes over a lease quickly."""
        return self.start(
            name,
            "scheduler",
            f"--kubeconfig={self.directory / 'scheduler.conf'}",
            "--leader-elect-lease-duration=4s",
            "--leader-elect-renew-deadline=3s",
            "--leader-elect-retry-period=300ms",
            "--secure-port=0",
            *more,
        )

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """The output of kubectl as a member of system:masters."""
        conf = self.directory / "super-admin.conf"
        argv = [*self.prefix, "kubectl", f"--kubeconfig={conf}", f"--cache-dir={self.directory / 'cache'}", *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if check and done.returncode:
            raise AssertionError(f"{argv}: {done.stderr}")
        return done.stdout

    def apply(self, *objects: dict[str, object]) -> None:
        """Create these objects."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def client(self) -> Client:
        """A client with all permissions."""
        return Client(HttpTransport(reader.load(self.directory / "super-admin.conf")))

    def wait(self, what: str, condition: Callable[[], bool], *processes: str) -> None:
        """Wait for a condition; on failure, show the logs of these processes."""
        end = time.monotonic() + PATIENCE
        while not condition():
            ended = [name for name in processes if self.processes[name].poll() is not None]
            if ended or time.monotonic() > end:
                logs = "\n".join(f"{name}: {self.log(name)}" for name in processes)
                raise AssertionError(f"{what} did not come; {ended} ended\n{logs}")
            time.sleep(0.05)

    def end(self, name: str) -> float:
        """Send SIGTERM; returns the seconds until the process exited."""
        begun = time.monotonic()
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0, self.log(name)
        return time.monotonic() - begun

    def close(self) -> None:
        """Kill all started processes."""
        for process in self.processes.values():
            process.kill()
            process.wait()
