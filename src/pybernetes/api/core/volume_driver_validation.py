"""Validation of the volume types of storage vendors."""

import re

from pybernetes.api import names, rules
from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.core.volume_drivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    CinderVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    QuobyteVolumeSource,
    StorageOSVolumeSource,
)
from pybernetes.api.field import Errors, Path

CACHING_MODES = ("None", "ReadOnly", "ReadWrite")
DISK_KINDS = ("Dedicated", "Managed", "Shared")
_REGISTRY_TEXT = "must be a host:port pair or multiple pairs separated by commas"
_MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_INITIATORS = {
    "iqn": re.compile(r"iqn\.[0-9]{4}-[0-9]{2}\.[A-Za-z0-9.-]+:[^,;*&$|\t\n\f\r ]+$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}


def _secret(ref: LocalObjectReference | None, path: Path, errors: Errors) -> None:
    if ref is not None and not ref.name:
        errors.required(path / "secretRef" / "name")


def nfs(source: NFSVolumeSource, path: Path, errors: Errors) -> None:
    """A directory of an NFS server."""
    if not source.server:
        errors.required(path / "server")
    if not source.path:
        errors.required(path / "path")
    if not source.path.startswith("/"):
        errors.invalid(path / "path", source.path, "must be an absolute path")


def disk_partition(
    source: GCEPersistentDiskVolumeSource | AWSElasticBlockStoreVolumeSource, path: Path, errors: Errors
) -> None:
    """The partition of a disk."""
    partition = source.partition or 0
    if not 0 <= partition <= 255:
        errors.invalid(path / "partition", partition, names.in_range(1, 255))


def git_repo(source: GitRepoVolumeSource, path: Path, errors: Errors) -> None:
    """The directory of a clone."""
    rules.relative_path(source.directory, path / "directory", errors)


def iscsi(source: ISCSIVolumeSource, path: Path, errors: Errors) -> None:
    """Names, the number of the disk, and the secret for authentication."""
    if source.iqn:
        _initiator(source.iqn, path / "iqn", errors)
    if not 0 <= source.lun <= 255:
        errors.invalid(path / "lun", source.lun, names.in_range(0, 255))
    if (source.chap_auth_discovery or source.chap_auth_session) and source.secret_ref is None:
        errors.required(path / "secretRef")
    if source.initiator_name is not None:
        _initiator(source.initiator_name, path / "initiatorname", errors)


def _initiator(name: str, path: Path, errors: Errors) -> None:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        errors.invalid(path, name, "must be valid format starting with iqn, eui, or naa")
    elif not pattern.search(name):
        errors.invalid(path, name, "must be valid format")


def flocker(source: FlockerVolumeSource, path: Path, errors: Errors) -> None:
    """A dataset, by its name or its identifier."""
    if not source.dataset_name and not source.dataset_uuid:
        errors.required(path, "one of datasetName and datasetUUID is required")
    if source.dataset_name and source.dataset_uuid:
        errors.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.dataset_name:
        errors.invalid(path / "datasetName", source.dataset_name, "must not contain '/'")


def cinder(source: CinderVolumeSource, path: Path, errors: Errors) -> None:
    """The secret of a disk of OpenStack."""
    _secret(source.secret_ref, path, errors)


def quobyte(source: QuobyteVolumeSource, path: Path, errors: Errors) -> None:
    """The addresses of the registry, and a volume."""
    if not source.registry:
        errors.required(path / "registry", _REGISTRY_TEXT)
    elif len(source.tenant) >= 65:
        errors.required(path / "tenant", "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in source.registry.split(","):
            if not _is_host_and_port(pair):
                errors.invalid(path / "registry", source.registry, _REGISTRY_TEXT)
    if not source.volume:
        errors.required(path / "volume")


def _is_host_and_port(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    if host.startswith("["):
        return bool(colon) and host.endswith("]") and "[" not in host[1:] and "]" not in host[:-1]
    return bool(colon) and not set(host + port) & set(":[]")


def fc(source: FCVolumeSource, path: Path, errors: Errors) -> None:
    """A Fibre Channel disk, by target and number or by its world-wide identifiers."""
    if not source.target_wwns and not source.wwids:
        errors.required(path / "targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if source.target_wwns and source.wwids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        errors.invalid(path / "targetWWNs", source.target_wwns, text)
    if source.target_wwns:
        if source.lun is None:
            errors.required(path / "lun", "lun is required if targetWWNs is specified")
        elif not 0 <= source.lun <= 255:
            errors.invalid(path / "lun", source.lun, names.in_range(0, 255))


def flex(source: FlexVolumeSource, path: Path, errors: Errors) -> None:
    """The options must not be in the namespaces of Kubernetes."""
    for key in source.options:
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            errors.invalid(path / "options" @ key, key, "kubernetes.io and k8s.io namespaces are reserved")


def azure_disk(source: AzureDiskVolumeSource, path: Path, errors: Errors) -> None:
    """The modes of a disk, and its URI, whose form depends on the kind of disk."""
    if source.caching_mode not in CACHING_MODES:
        errors.not_supported(path / "cachingMode", source.caching_mode, list(CACHING_MODES))
    if source.kind not in DISK_KINDS:
        errors.not_supported(path / "kind", source.kind, list(DISK_KINDS))
    if source.kind == "Managed":
        if not source.disk_uri.startswith("/subscriptions/"):
            errors.not_supported(path / "diskURI", source.disk_uri, [_MANAGED_DISK])
    elif not source.disk_uri.startswith("https://"):
        errors.not_supported(path / "diskURI", source.disk_uri, [_BLOB_DISK])


def storage_os(source: StorageOSVolumeSource, path: Path, errors: Errors) -> None:
    """Names of the volume and its namespace."""
    rules.named(source.volume_name, names.dns_label, path / "volumeName", errors)
    if source.volume_namespace:
        rules.follows(source.volume_namespace, names.dns_label, path / "volumeNamespace", errors)
    _secret(source.secret_ref, path, errors)
