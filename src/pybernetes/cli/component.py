"""What commands of components share besides their flags: the health port and the node's name."""

import platform
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.healthz import Check, health, process_metrics


class TlsFlags(Protocol):
    """The flags that are read here."""

    @property
    def tls_cert_file(self) -> Path | None: ...
    @property
    def tls_private_key_file(self) -> Path | None: ...


def secured(flags: TlsFlags) -> ssl.SSLContext:
    """TLS of the health port: the files of the flags, or a self-signed certificate that is kept in memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = flags.tls_cert_file, flags.tls_private_key_file
    if (certificate is None) != (key is None):
        raise ConfigError("--tls-cert-file and --tls-private-key-file go together: give both or neither")
    if certificate is None or key is None:
        _load_self_signed(context)
        return context
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"--tls-cert-file {certificate}: not a certificate with this key ({error})") from error
    return context


def _load_self_signed(context: ssl.SSLContext) -> None:
    from pybernetes.cluster.certificates import Subject, certificate_pem, issue, key_pem, make_authority

    now = datetime.now(UTC)
    name = platform.node().lower() or "localhost"
    subject = Subject(name, (), (name, "localhost", "127.0.0.1", "::1"), client=False)
    certificate, key = issue(make_authority(name, now), subject, now)
    # The TLS library reads only files; this one is readable only by its owner and removed at once.
    with tempfile.NamedTemporaryFile(prefix="pybernetes-") as file:
        file.write(certificate_pem(certificate) + key_pem(key))
        file.flush()
        context.load_cert_chain(file.name)


def health_context(
    address: str,
    port: int,
    tls: ssl.SSLContext | None,
    check: Check,
    *,
    flag: str = "--secure-port",
    ready: Check | None = None,
    metrics: Callable[[], bytes] = process_metrics,
) -> AbstractAsyncContextManager[None]:
    """Serve the health port until the context exits."""
    return health((address, port), check, flag=flag, tls=tls, ready=ready, metrics=metrics)


def node_name(override: str) -> str:
    """The name of this machine's Node: `--hostname-override`, or the host name."""
    return (override or platform.node()).strip().lower()
