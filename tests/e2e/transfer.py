"""A TCP connection between two namespaces that transfers numbered bytes continuously."""

import hashlib
import socket
import threading
import time
from types import TracebackType

from pybernetes.linux import netns

_CHUNK = bytes(range(256)) * 16
_PAUSE = 0.002


class Transfer:
    """Runs until the context exits; then `intact` tells whether all bytes arrived, `stall` the longest pause."""

    def __init__(self, source: str, sink: str, target: str) -> None:
        with netns.enter(sink):
            self._listener = socket.create_server((target, 0))
        self._listener.settimeout(10)
        with netns.enter(source):
            self._client = socket.create_connection(self._listener.getsockname()[:2], timeout=10)
        self._sent, self._got = hashlib.sha256(), hashlib.sha256()
        self._bytes = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        self.stall = 0.0
        self.intact = False

    def __enter__(self) -> "Transfer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        self.intact = self._bytes > 0 and self._sent.digest() == self._got.digest()

    def __repr__(self) -> str:
        return f"Transfer({self._bytes} bytes, intact={self.intact}, longest stall {self.stall:.3f} s)"

    def _send(self) -> None:
        with self._client:
            while not self._over.is_set():
                self._client.sendall(_CHUNK)
                self._sent.update(_CHUNK)
                time.sleep(_PAUSE)

    def _receive(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(10)
        with connection:
            last = time.monotonic()
            while data := connection.recv(65536):
                now = time.monotonic()
                self.stall, last = max(self.stall, now - last), now
                self._got.update(data)
                self._bytes += len(data)
