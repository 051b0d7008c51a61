"""Turn the flags of `pybernetes apiserver` into the server's settings. Only reads and creates files."""

import functools
import platform
import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TypeVar

from pybernetes.apiserver.assembly import Security
from pybernetes.apiserver.auth.signing import SigningKey, signing_key, verifying_key
from pybernetes.apiserver.auth.static_tokens import parse_token_file
from pybernetes.apiserver.config import KubeletClient, ServerConfig
from pybernetes.apiserver.http import TlsFiles
from pybernetes.cli.apiserver_flags import Flags
from pybernetes.cluster.api_server import OpenStore, Serving, etcd, sqlite
from pybernetes.cluster.certificates import Subject
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.pki import Pki
from pybernetes.etcd import EtcdTls

T = TypeVar("T")


def setup(flags: Flags) -> Serving:
    """The settings. Raises ConfigError that names the flag and the fix."""
    open_store = _store(flags)
    _both(flags.tls_cert_file, "--tls-cert-file", flags.tls_private_key_file, "--tls-private-key-file")
    config = _config(flags)
    _checked("--service-cluster-ip-range", config.check)
    return Serving(
        open_store=open_store,
        config=config,
        security=_security(flags),
        tls=_tls(flags, config),
        hosts=(flags.bind_address,),
        port=flags.secure_port,
        modes=flags.authorization_mode,
        compact_seconds=flags.etcd_compaction_interval,
    )


def _store(flags: Flags) -> OpenStore:
    if bool(flags.etcd_servers) == (flags.data_dir is not None):
        found = "both" if flags.etcd_servers else "neither"
        raise ConfigError(
            f"give exactly one of --data-dir DIRECTORY (SQLite) and --etcd-servers URL,... (etcd); {found} was given"
        )
    if flags.data_dir is not None:
        return sqlite(flags.data_dir / "store.db")
    _both(flags.etcd_certfile, "--etcd-certfile", flags.etcd_keyfile, "--etcd-keyfile")
    if flags.etcd_certfile and not flags.etcd_cafile:
        raise ConfigError("--etcd-certfile needs --etcd-cafile, the CA that signed etcd's own certificate")
    tls = EtcdTls(flags.etcd_cafile, flags.etcd_certfile, flags.etcd_keyfile) if flags.etcd_cafile else None
    return etcd(flags.etcd_servers, tls)


def _config(flags: Flags) -> ServerConfig:
    _both(
        flags.kubelet_client_certificate,
        "--kubelet-client-certificate",
        flags.kubelet_client_key,
        "--kubelet-client-key",
    )
    kubelet = None
    if flags.kubelet_client_certificate:
        authority = flags.kubelet_certificate_authority
        kubelet = KubeletClient(
            str(flags.kubelet_client_certificate),
            str(flags.kubelet_client_key),
            str(authority) if authority else "",
            flags.kubelet_preferred_address_types,
        )
    # Like kube-apiserver, disable anonymous auth when the mode is AlwaysAllow.
    anonymous = flags.anonymous_auth and "AlwaysAllow" not in flags.authorization_mode
    return ServerConfig(
        service_cidrs=flags.service_cluster_ip_range,
        node_port_range=flags.service_node_port_range,
        advertise_address=_advertised(flags),
        advertise_port=flags.secure_port,
        kubelet_client=kubelet,
        anonymous=anonymous,
        min_watch_seconds=flags.min_request_timeout,
        request_seconds=flags.request_timeout,
    )


def _advertised(flags: Flags) -> str:
    if flags.advertise_address:
        return flags.advertise_address
    if not ip_address(flags.bind_address).is_unspecified:
        return flags.bind_address
    return host_address()


def host_address() -> str:
    """The source address of this machine for other networks. Sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _tls(flags: Flags, config: ServerConfig) -> TlsFiles:
    client_ca = str(flags.client_ca_file) if flags.client_ca_file else ""
    if flags.tls_cert_file:
        return TlsFiles(certificate=str(flags.tls_cert_file), key=str(flags.tls_private_key_file), client_ca=client_ca)
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", platform.node().lower())
    first = str(ip_network(config.service_cidrs[0])[1])
    sans = tuple(dict.fromkeys((*names, "127.0.0.1", "::1", config.advertise_address, first)))
    pair = Pki(flags.cert_dir).ensure_certificate("apiserver", Subject("kube-apiserver", (), sans, client=False))
    return TlsFiles(certificate=str(pair.certificate), key=str(pair.key), client_ca=client_ca)


def _security(flags: Flags) -> Security:
    keys = []
    for path in flags.service_account_key_file:
        pem = path.read_bytes()
        keys.append(_checked(f"--service-account-key-file {path}", functools.partial(verifying_key, pem)))
    tokens = {}
    if flags.token_auth_file is not None:
        file = flags.token_auth_file
        tokens = _checked("--token-auth-file", lambda: parse_token_file(file.read_text().splitlines(), str(file)))
    return Security(
        signing_key=_signing_key(flags),
        verifying_keys=tuple(keys),
        issuer=flags.service_account_issuer,
        audiences=flags.api_audiences,
        static_tokens=tokens,
    )


def _signing_key(flags: Flags) -> SigningKey:
    path = flags.service_account_signing_key_file
    if path is None:
        pki = Pki(flags.cert_dir)
        pki.ensure_service_account_keys()
        path = pki.service_account_key
    found = path
    return _checked(f"--service-account-signing-key-file {path}", lambda: signing_key(found.read_bytes()))


def _both(first: Path | None, first_name: str, second: Path | None, second_name: str) -> None:
    if (first is None) != (second is None):
        lacks, has = (second_name, first_name) if first is not None else (first_name, second_name)
        raise ConfigError(f"{has} needs {lacks}: a certificate needs its key")


def _checked(what: str, work: Callable[[], T]) -> T:
    """Return the result; turn a ValueError into a ConfigError that names the flag."""
    try:
        return work()
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from error
