"""recvmmsg(2) and sendmmsg(2): many datagrams in one system call. Python's socket module has neither.

The arrays that the kernel reads and writes are made once; per datagram only lengths and addresses are set.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)
SLOTS = 16
SLOT_SIZE = 65_536 + 64
"""The longest IP packet, and what the TUN device puts before it."""
UDP_SEGMENT, UDP_GRO = 103, 104
_CONTROL = 64
_CMSG = struct.Struct("@Niii")  # cmsg_len, cmsg_level, cmsg_type, and the size that follows for UDP_GRO


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class SockAddr(ctypes.Structure):
    """struct sockaddr_in"""

    _fields_ = [("family", ctypes.c_uint16), ("port", ctypes.c_uint8 * 2), ("ip", ctypes.c_uint8 * 4),
                ("zero", ctypes.c_uint8 * 8)]  # fmt: skip


class _Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]  # fmt: skip


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", _Msghdr), ("length", ctypes.c_uint32)]


def sockaddr(ip: str, port: int) -> SockAddr:
    """An address in the kernel's form."""
    made = SockAddr(family=socket.AF_INET)
    made.port[:] = port.to_bytes(2, "big")
    made.ip[:] = socket.inet_aton(ip)
    return made


class _Batch:
    def __init__(self, offset: int) -> None:
        self.buffers = [bytearray(SLOT_SIZE) for _ in range(SLOTS)]
        self.views = [memoryview(buffer) for buffer in self.buffers]
        self._iovecs = (_Iovec * SLOTS)()
        self._messages = (_Mmsghdr * SLOTS)()
        self._pins = [(ctypes.c_char * SLOT_SIZE).from_buffer(buffer) for buffer in self.buffers]
        for at, pin in enumerate(self._pins):
            self._iovecs[at].base = ctypes.addressof(pin) + offset
            self._iovecs[at].length = SLOT_SIZE - offset
            header = self._messages[at].hdr
            header.iov = ctypes.addressof(self._iovecs[at])
            header.iovlen = 1


class Sender(_Batch):
    """Buffers that are filled by the caller (`offset` bytes in front of each are not sent) and sent together."""

    def __init__(self, fd: int, offset: int) -> None:
        super().__init__(offset)
        self._fd = fd
        for message in self._messages:
            message.hdr.namelen = ctypes.sizeof(SockAddr)
        self._ready = 0
        #: Keeps addresses alive that the kernel has pointers to, even if the table of routes is replaced meanwhile.
        self._addresses: list[SockAddr | None] = [None] * SLOTS

    @property
    def slot(self) -> int:
        """The slot to fill next."""
        return self._ready

    @property
    def full(self) -> bool:
        """Whether no slot is left."""
        return self._ready == SLOTS

    def add(self, length: int, address: SockAddr) -> None:
        """The next slot holds a datagram of this length."""
        self._addresses[self._ready] = address
        self._iovecs[self._ready].length = length
        self._messages[self._ready].hdr.name = ctypes.addressof(address)
        self._ready += 1

    def flush(self) -> int:
        """Send what was added; returns how many datagrams failed. One failure does not stop the others."""
        done = lost = 0
        while done < self._ready:
            sent = _libc.sendmmsg(
                self._fd, ctypes.byref(self._messages, done * ctypes.sizeof(_Mmsghdr)), self._ready - done, 0
            )
            if sent <= 0:
                done, lost = done + 1, lost + 1
            else:
                done += sent
        self._ready = 0
        return lost


class Receiver(_Batch):
    """Receives datagrams; several of one sender and size may arrive as one buffer, with the size of each."""

    def __init__(self, fd: int) -> None:
        super().__init__(0)
        self._fd = fd
        self._controls = [ctypes.create_string_buffer(_CONTROL) for _ in range(SLOTS)]
        for message, control in zip(self._messages, self._controls, strict=True):
            message.hdr.control = ctypes.addressof(control)

    def receive(self) -> list[tuple[memoryview, int]]:
        """(bytes, size of each datagram in them) of all that has arrived; empty if nothing has. Raises OSError."""
        for message in self._messages:
            message.hdr.controllen = _CONTROL
        count = _libc.recvmmsg(self._fd, self._messages, SLOTS, socket.MSG_DONTWAIT, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                return []
            raise OSError(code, os.strerror(code))
        found = []
        for at in range(count):
            message = self._messages[at]
            size = message.length
            if message.hdr.controllen >= _CMSG.size:
                _, level, kind, segment = _CMSG.unpack_from(self._controls[at])
                if level == socket.IPPROTO_UDP and kind == UDP_GRO and segment > 0:
                    size = segment
            found.append((self.views[at][: message.length], size))
        return found
