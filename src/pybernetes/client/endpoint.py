"""The address of a server and the credentials for it: TLS settings and tokens, with errors that name the file.

Private keys that a kubeconfig has inline are never written to disk: the TLS library reads only files, so it gets them
through an anonymous file in memory.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pybernetes.client.errors import Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a server and the credentials for it: a client certificate or a token."""

    server: str
    """`https://host:port`, possibly with a path before `/api`"""
    ca_file: Path | None = None
    ca_data: bytes = field(default=b"", repr=False)
    cert_file: Path | None = None
    key_file: Path | None = None
    cert_data: bytes = field(default=b"", repr=False)
    key_data: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    """Read again when it changes: projected tokens are rotated in place."""
    insecure_skip_tls_verify: bool = False

    def ssl_context(self) -> ssl.SSLContext | bool:
        """The TLS settings; True for plain HTTP. Raises Unusable."""
        if not self.server.startswith("https://"):
            return True
        if self.ca_file or self.ca_data:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._load_ca(context)
        else:
            # Loading the system's CA certificates takes 20 ms and more, so do it only here.
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        if self.insecure_skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if (self.cert_file or self.cert_data) and (self.key_file or self.key_data):
            self._load_pair(context)
        return context

    def _load_ca(self, context: ssl.SSLContext) -> None:
        name = self.ca_file or "certificate-authority-data"
        try:
            data = self.ca_file.read_bytes() if self.ca_file else self.ca_data
            context.load_verify_locations(cadata=data.decode("ascii"))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Unusable(f"{name}: not a PEM file of CA certificates: {_reason(error)}") from error

    def _load_pair(self, context: ssl.SSLContext) -> None:
        cert = self.cert_file or "client-certificate-data"
        key = self.key_file or "client-key-data"
        for file in (self.cert_file, self.key_file):
            if file is not None and not os.access(file, os.R_OK):
                raise Unusable(f"{file}: the client's certificate or key is missing or can't be read")
        with ExitStack() as stack:
            files = [
                str(file) if file is not None else stack.enter_context(_in_memory(data))
                for file, data in ((self.cert_file, self.cert_data), (self.key_file, self.key_data))
            ]
            try:
                # Without a password callback OpenSSL asks on the terminal for the password of an encrypted key.
                context.load_cert_chain(files[0], files[1], password=lambda: b"")
            except (OSError, ValueError) as error:
                raise Unusable(f"{cert} and {key}: not a PEM certificate and its own key: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None)
    return str(reason or error)


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path at which this process can read these bytes as long as the context lasts."""
    descriptor = os.memfd_create("credentials", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class TokenFile:
    """A token that may be replaced on disk at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._token = ""

    def read(self) -> str:
        """The current token; the file is read again only when it has changed. Raises Unusable.

        While the file is missing or empty, as when it is being replaced, the last token stays in use.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if seen != self._seen:
                token = self._path.read_text("ascii").strip()
                if token:
                    self._token, self._seen = token, seen
        except (OSError, ValueError) as error:
            if not self._token:
                raise Unusable(f"{self._path}: the token can't be read: {_reason(error)}") from error
        if not self._token or not self._token.isprintable() or " " in self._token:
            raise Unusable(f"{self._path}: expected one token, found {'none' if not self._token else 'other text'}")
        return self._token
