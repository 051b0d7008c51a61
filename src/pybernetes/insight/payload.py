"""Send random bytes over UDP and TCP from node to node through the pod network, and check that they arrive unchanged.

Some network cards compute wrong checksums for packets inside a tunnel: pings pass, but connections do not.
"""

import asyncio
import contextlib
import os
import socket

from pybernetes.linux import netns

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_UDP_OVERHEAD = {4: 28, 6: 48}
_TCP_BYTES = 64 * 1024
_DATAGRAMS = 3


async def udp(source: tuple[str, str], target: tuple[str, str], mtu: int, timeout: float = 0.5) -> str:
    """Send full-size datagrams. Returns the fault, or "". `source` and `target` are (namespace, address)."""
    version = 6 if ":" in target[1] else 4
    size = max(64, mtu - _UDP_OVERHEAD[version])
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        try:
            receiver = stack.enter_context(_bound(target, socket.SOCK_DGRAM))
            sender = stack.enter_context(_bound(source, socket.SOCK_DGRAM))
        except OSError as error:
            return f"no socket for UDP: {error}"
        sent: set[bytes] = set()
        for _ in range(_DATAGRAMS):
            data = os.urandom(size)
            sent.add(data)
            try:
                await loop.sock_sendto(sender, data, receiver.getsockname())
                got = await asyncio.wait_for(loop.sock_recv(receiver, 65536), timeout)
            except TimeoutError:
                continue
            except OSError as error:
                return f"UDP: {error.strerror}"
            # An earlier datagram may arrive after its timeout.
            return "" if got in sent else "UDP datagrams arrive corrupted"
    return f"UDP datagrams of {size} bytes do not arrive"


async def tcp(source: tuple[str, str], target: tuple[str, str], timeout: float = 1.0) -> str:
    """Send 64 KiB through a connection to an echo server. Returns the fault, or ""."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(_bound(target, socket.SOCK_STREAM))
            listener.listen(1)
            client = stack.enter_context(_bound(source, socket.SOCK_STREAM))
        except OSError as error:
            return f"no socket for TCP: {error}"
        answering = asyncio.create_task(_answer(listener), name="payload echo")
        sent = os.urandom(_TCP_BYTES)
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_connect(client, listener.getsockname())
                sending = asyncio.create_task(loop.sock_sendall(client, sent), name="payload send")
                try:
                    got = await _receive(client, len(sent))
                finally:
                    sending.cancel()
        except TimeoutError:
            return "a TCP connection does not carry 64 KiB there and back"
        except OSError as error:
            return f"TCP: {error.strerror}"
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
    return "" if got == sent else "data sent over TCP arrives corrupted"


async def _answer(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    with connection:
        connection.setblocking(False)
        while data := await loop.sock_recv(connection, 65536):
            await loop.sock_sendall(connection, data)


async def _receive(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        data = await asyncio.get_running_loop().sock_recv(connection, 65536)
        if not data:
            break
        got += data
    return got


def _bound(place: tuple[str, str], kind: socket.SocketKind) -> socket.socket:
    namespace, address = place
    with netns.enter(namespace):
        made = socket.socket(_FAMILY[6 if ":" in address else 4], kind)
    try:
        made.setblocking(False)
        made.bind((address, 0))
    except OSError:
        made.close()
        raise
    return made
