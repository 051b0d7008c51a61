"""Traffic from one namespace to another: throughput and round-trip time.

The far end is a separate process, and serves several namespaces, so that measurements can alternate between them
without anything being started in between.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pybernetes.linux import netns

PORT = 5201
_SINK, _ECHO, _COUNT = b"s", b"e", b"c"
_NUMBER = struct.Struct("!Q")
_CHUNK = 1 << 20
#: Of a fixed size: when the kernel chooses it as it goes, one connection is twice as fast as the next.
_BUFFER = 1 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SMALL = b"x" * 64
_PATIENCE = 60.0


@contextmanager
def far_end(spaces: Sequence[str]) -> Iterator[None]:
    """Serve in these namespaces."""
    pairs = [netns.run_in(space, _listen) for space in spaces]
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(pairs,), daemon=True)
    process.start()
    for ends in pairs:
        for end in ends:
            end.close()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _listen() -> tuple[socket.socket, socket.socket]:
    stream = socket.create_server(("", PORT))
    stream.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind(("", PORT))
    return stream, packets


@contextmanager
def on_processor(number: int) -> Iterator[None]:
    """Stay on one processor: where the two ends of a stream run decides how fast it is."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _serve(pairs: Sequence[tuple[socket.socket, socket.socket]]) -> None:
    with on_processor(1):
        for stream, packets in pairs:
            counter = [0]
            threading.Thread(target=_count, args=(packets, counter), daemon=True).start()
            threading.Thread(target=_accept, args=(stream, counter), daemon=True).start()
        threading.Event().wait()


def _count(packets: socket.socket, counter: list[int]) -> None:
    while True:
        packets.recv(2048)
        counter[0] += 1


def _accept(stream: socket.socket, counter: list[int]) -> None:
    while True:
        connection, _ = stream.accept()
        threading.Thread(target=_answer, args=(connection, counter), daemon=True).start()


def _answer(connection: socket.socket, counter: list[int]) -> None:
    """The first byte says what is wanted."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        wish = connection.recv(1)
        if wish == _SINK:
            buffer, total = bytearray(_CHUNK), 0
            while size := connection.recv_into(buffer):
                total += size
            connection.sendall(_NUMBER.pack(total))
        elif wish == _ECHO:
            while word := connection.recv(64):
                connection.sendall(word)
        elif wish == _COUNT:
            connection.sendall(_NUMBER.pack(counter[0]))


class Path:
    """The way from a namespace to a far end."""

    def __init__(self, space: str, target: str) -> None:
        self._space = space
        self._target = target

    def wait(self) -> None:
        """Until it is there. Raises TimeoutError."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                with self._connect(_ECHO, 1.0):
                    return
            except OSError as error:
                if time.monotonic() > end:
                    raise TimeoutError(f"no way from {self._space} to {self._target}: {error}") from error
                time.sleep(0.05)

    def throughput(self, seconds: float) -> float:
        """Gbit/s of one TCP connection, from its first byte to the word that the last one has arrived."""
        data = memoryview(bytes(_CHUNK))
        with self._connect(_SINK) as out:
            out.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
            start = time.perf_counter()
            while time.perf_counter() - start < seconds:
                out.send(data)
            out.shutdown(socket.SHUT_WR)
            total = _NUMBER.unpack(out.recv(_NUMBER.size, socket.MSG_WAITALL))[0]
            return float(total) * 8 / 1e9 / (time.perf_counter() - start)

    def round_trips(self, count: int) -> list[float]:
        """Microseconds of single bytes that come back over one TCP connection."""
        taken = []
        with self._connect(_ECHO) as line:
            for _ in range(count + 10):
                start = time.perf_counter()
                line.send(b"x")
                line.recv(1)
                taken.append((time.perf_counter() - start) * 1e6)
        return taken[10:]

    def packets(self, seconds: float) -> float:
        """UDP packets of 64 bytes that arrive, per second, when more are sent than can."""
        out = netns.run_in(self._space, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with out:
            out.connect((self._target, PORT))
            before, start = self._counted(), time.perf_counter()
            while time.perf_counter() - start < seconds:
                for _ in range(32):
                    out.send(_SMALL)
            taken = time.perf_counter() - start
        return (self._counted() - before) / taken

    def _counted(self) -> int:
        with self._connect(_COUNT) as line:
            return int(_NUMBER.unpack(line.recv(_NUMBER.size, socket.MSG_WAITALL))[0])

    def _connect(self, wish: bytes, timeout: float = _PATIENCE) -> socket.socket:
        made = netns.run_in(self._space, lambda: socket.create_connection((self._target, PORT), timeout))
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.sendall(wish)
        return made
