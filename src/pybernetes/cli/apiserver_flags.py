# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""The flags of `pybernetes apiserver`: those of kube-apiserver."""

from dataclasses import dataclass
from pathlib import Path

import click

from pybernetes.cli.flags import flag, ignored, listed
from pybernetes.cli.values import ADDRESS, BOOL, CIDR, DURATION, FILE, PATH, PORT, PORTS

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
ADDRESS_TYPES = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The supported flags of kube-apiserver, and those in its usual manifests."""

    bind_address: str = flag("0.0.0.0", "Address to listen on.", type=ADDRESS)
    secure_port: int = flag(6443, "Port for HTTPS.", type=PORT)
    advertise_address: str = flag(
        "", "Address at which the cluster reaches this server.", type=ADDRESS, shown="the bind address, or the host's"
    )
    service_cluster_ip_range: tuple[str, ...] = listed(
        ("10.0.0.0/24",), "Network of ClusterIPs; for dual stack, one per family.", type=CIDR
    )
    service_node_port_range: tuple[int, int] = flag("30000-32767", "Ports of NodePort Services.", type=PORTS)
    data_dir: Path | None = flag(
        None, "Store the state in SQLite in this directory. Either this or --etcd-servers is needed.", type=PATH
    )
    etcd_servers: tuple[str, ...] = listed(
        (), "Store the state in etcd with these URLs, such as https://10.0.0.1:2379."
    )
    etcd_cafile: Path | None = flag(None, "CA that signed etcd's certificates.", type=FILE)
    etcd_certfile: Path | None = flag(None, "Client certificate for etcd.", type=FILE)
    etcd_keyfile: Path | None = flag(None, "Key of the client certificate for etcd.", type=FILE)
    etcd_prefix: str = flag("/registry", "Prefix of all keys in etcd.", type=click.Choice(["/registry"]))
    etcd_compaction_interval: float = flag("5m0s", "Interval of compaction of old revisions; 0: never.", type=DURATION)
    client_ca_file: Path | None = flag(None, "CA of client certificates; the user is the common name.", type=FILE)
    tls_cert_file: Path | None = flag(
        None, "Serving certificate.", type=FILE, shown="one created in --cert-dir, with its own CA"
    )
    tls_private_key_file: Path | None = flag(None, "Key of the serving certificate.", type=FILE)
    cert_dir: Path = flag("/var/run/kubernetes", "Directory for generated keys and certificates.", type=PATH)
    service_account_issuer: str = flag(
        "https://kubernetes.default.svc.cluster.local", "Issuer of service-account tokens, a URL."
    )
    service_account_signing_key_file: Path | None = flag(
        None, "Private key for service-account tokens.", type=FILE, shown="one created in --cert-dir"
    )
    service_account_key_file: tuple[Path, ...] = listed((), "More keys with which tokens are verified.", type=FILE)
    api_audiences: tuple[str, ...] = listed((), "Audiences of tokens for this server.", shown="the issuer")
    token_auth_file: Path | None = flag(None, "CSV file of token,user,uid[,groups].", type=FILE)
    anonymous_auth: bool = flag("true", "Accept requests without credentials as system:anonymous.", type=BOOL)
    authorization_mode: tuple[str, ...] = listed(
        ("AlwaysAllow",), f"Authorizers, in this order: {', '.join(MODES)}.", type=click.Choice(MODES)
    )
    kubelet_client_certificate: Path | None = flag(None, "Client certificate for kubelets.", type=FILE)
    kubelet_client_key: Path | None = flag(None, "Key of the client certificate for kubelets.", type=FILE)
    kubelet_certificate_authority: Path | None = flag(
        None, "CA that signed the kubelets' certificates.", type=FILE, shown="not verified"
    )
    kubelet_preferred_address_types: tuple[str, ...] = listed(
        ADDRESS_TYPES,
        "Types of node addresses for connections to kubelets, in order of preference.",
        type=click.Choice(ADDRESS_TYPES),
    )
    min_request_timeout: int = flag(1800, "Minimum seconds before a watch is closed.", type=click.IntRange(min=1))
    request_timeout: float = flag("1m0s", "Timeout of requests.", type=DURATION)
    allow_privileged: str | None = ignored("privileged pods are always allowed.")
    enable_admission_plugins: str | None = ignored("the plugins that exist are all on.")
    disable_admission_plugins: str | None = ignored("the plugins that exist are all on.")
    enable_bootstrap_token_auth: str | None = ignored("bootstrap tokens are always accepted.")
    requestheader_allowed_names: str | None = ignored("there is no aggregation layer.")
    requestheader_client_ca_file: str | None = ignored("there is no aggregation layer.")
    requestheader_extra_headers_prefix: str | None = ignored("there is no aggregation layer.")
    requestheader_group_headers: str | None = ignored("there is no aggregation layer.")
    requestheader_username_headers: str | None = ignored("there is no aggregation layer.")
    proxy_client_cert_file: str | None = ignored("there is no aggregation layer.")
    proxy_client_key_file: str | None = ignored("there is no aggregation layer.")
