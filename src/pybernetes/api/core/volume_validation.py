"""Validation of volumes: unique names, one source each, and the rules of each source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pybernetes.api import names, rules
from pybernetes.api.core import projection_validation as files
from pybernetes.api.core import volume_driver_validation as drivers
from pybernetes.api.core.claim_validation import validate_claim_template
from pybernetes.api.core.volume import (
    CSIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    Volume,
)
from pybernetes.api.field import Errors, Path
from pybernetes.api.quantity import parse

EMPTY_DIR_MODE_TEXT = "must be a number between 0 and 01777 (octal), both inclusive"
HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MAX_DRIVER_NAME = 63
MAX_ISCSI_NAME = 64


def validate_volumes(volumes: list[Volume], pod_name: str, path: Path, errors: Errors) -> Mapping[str, Volume]:
    """Validate the volumes of a pod. Returns the valid ones by name, to check the mounts.

    `pod_name` is empty in templates. With the volume's name it is the name of the claim of an ephemeral volume.
    """
    found: dict[str, Volume] = {}
    claims = {f"{pod_name}-{volume.name}" for volume in volumes if pod_name and volume.ephemeral is not None}
    for index, volume in enumerate(volumes):
        place = path @ index
        before = len(errors.items)
        _source(volume, pod_name, place, errors)
        rules.named(volume.name, names.dns_label, place / "name", errors)
        if volume.name in found:
            errors.duplicate(place / "name", volume.name)
        if len(errors.items) == before:
            found[volume.name] = volume
        claim = volume.persistent_volume_claim
        if claim is not None and claim.claim_name in claims:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.invalid(place / "persistentVolumeClaim" / "claimName", claim.claim_name, text)
    return found


def _source(volume: Volume, pod_name: str, path: Path, errors: Errors) -> None:
    given = 0
    for source in _SOURCES:
        value = source.get(volume)
        if value is None:
            continue
        given += 1
        if given > 1:
            errors.forbidden(path / source.extra, "may not specify more than 1 volume type")
        else:
            _check(source, value, path / source.name, errors)
            if volume.ephemeral is not None and pod_name and volume.name:
                _claim_name(volume.name, f"{pod_name}-{volume.name}", path / "name", errors)
        if volume.iscsi is value and volume.iscsi.initiator_name is not None:
            _iscsi_name(volume.name, volume.iscsi.target_portal, path / "name", errors)
    if not given:
        errors.required(path, "must specify a volume type")


@dataclass(frozen=True, slots=True)
class _Source:
    """One type of volume: the fields that it needs, and a check of the others."""

    get: Callable[[Volume], Any]
    name: str
    """In the paths of errors."""
    required: tuple[tuple[Callable[[Any], Any], str], ...] = ()
    """(getter, JSON name) of fields that may not be empty."""
    check: Callable[[Any, Path, Errors], None] | None = None
    extra: str = ""
    """In the path of the error for more than one source; by default `name`."""


def _check(source: _Source, value: Any, path: Path, errors: Errors) -> None:
    for get, name in source.required:
        if not get(value):
            errors.required(path / name)
    if source.check is not None:
        source.check(value, path, errors)


def _claim_name(volume: str, claim: str, path: Path, errors: Errors) -> None:
    for message in names.dns_subdomain(claim):
        errors.invalid(path, volume, f'PVC name "{claim}": {message}')


def _iscsi_name(volume: str, portal: str, path: Path, errors: Errors) -> None:
    if len(f"{volume}:{portal}") > MAX_ISCSI_NAME:
        text = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is "
            "specified."
        )
        errors.invalid(path, volume, text)


def _empty_dir(source: EmptyDirVolumeSource, path: Path, errors: Errors) -> None:
    if source.size_limit is not None and parse(source.size_limit).nanos < 0:
        errors.forbidden(path / "sizeLimit", "SizeLimit field must be a valid resource quantity")
    if source.mode is not None and not 0 <= source.mode <= 0o1777:
        errors.invalid(path / "mode", source.mode, EMPTY_DIR_MODE_TEXT)


def _host_path(source: HostPathVolumeSource, path: Path, errors: Errors) -> None:
    if not source.path:
        errors.required(path / "path")
        return
    rules.no_parent_steps(source.path, path / "path", errors)
    if source.type not in HOST_PATH_TYPES:
        errors.not_supported(path / "type", source.type, list(HOST_PATH_TYPES))


def _csi(source: CSIVolumeSource, path: Path, errors: Errors) -> None:
    driver = source.driver
    if driver:
        if len(driver) > MAX_DRIVER_NAME:
            errors.too_long(path / "driver", MAX_DRIVER_NAME)
        for message in names.dns_subdomain(driver.lower()):
            errors.invalid(path / "driver", driver, message)
    ref = source.node_publish_secret_ref
    if ref is not None and not ref.name:
        errors.required(path / "nodePublishSecretRef" / "name")
    elif ref is not None:
        rules.follows(ref.name, names.dns_subdomain, path / "name", errors)


def _ephemeral(source: EphemeralVolumeSource, path: Path, errors: Errors) -> None:
    if source.volume_claim_template is None:
        errors.required(path / "volumeClaimTemplate")
    else:
        validate_claim_template(source.volume_claim_template, path / "volumeClaimTemplate", errors)


def _image(source: ImageVolumeSource, path: Path, errors: Errors) -> None:
    rules.one_of(source.pull_policy, PULL_POLICIES, path / "pullPolicy", errors)


def _of(
    attribute: str,
    name: str,
    check: Callable[[Any, Path, Errors], None] | None = None,
    *,
    required: tuple[tuple[str, str], ...] = (),
    extra: str = "",
) -> _Source:
    fields = tuple((attrgetter(field), json) for field, json in required)
    return _Source(attrgetter(attribute), name, fields, check, extra or name)


_VOLUME_ID = ("volume_id", "volumeID")
_PATH = ("path", "path")
_MONITORS = ("monitors", "monitors")

_SOURCES = (
    _of("empty_dir", "emptyDir", _empty_dir),
    _of("host_path", "hostPath", _host_path),
    _of("git_repo", "gitRepo", drivers.git_repo, required=(("repository", "repository"),)),
    _of(
        "gce_persistent_disk",
        "persistentDisk",
        drivers.disk_partition,
        required=(("pd_name", "pdName"),),
        extra="gcePersistentDisk",
    ),
    _of("aws_elastic_block_store", "awsElasticBlockStore", drivers.disk_partition, required=(_VOLUME_ID,)),
    _of("secret", "secret", files.secret, required=(("secret_name", "secretName"),)),
    _of("nfs", "nfs", drivers.nfs),
    _of("iscsi", "iscsi", drivers.iscsi, required=(("target_portal", "targetPortal"), ("iqn", "iqn"))),
    _of("glusterfs", "glusterfs", required=(("endpoints", "endpoints"), _PATH)),
    _of("flocker", "flocker", drivers.flocker),
    _of("persistent_volume_claim", "persistentVolumeClaim", required=(("claim_name", "claimName"),)),
    _of("rbd", "rbd", required=(_MONITORS, ("image", "image"))),
    _of("cinder", "cinder", drivers.cinder, required=(_VOLUME_ID,)),
    _of("cephfs", "cephfs", required=(_MONITORS,), extra="cephFS"),
    _of("quobyte", "quobyte", drivers.quobyte),
    _of("downward_api", "downwardAPI", files.downward_api, extra="downwarAPI"),
    _of("fc", "fc", drivers.fc),
    _of("flex_volume", "flexVolume", drivers.flex, required=(("driver", "driver"),)),
    _of("config_map", "configMap", files.config_map),
    _of("azure_file", "azureFile", required=(("secret_name", "secretName"), ("share_name", "shareName"))),
    _of("vsphere_volume", "vsphereVolume", required=(("volume_path", "volumePath"),)),
    _of("photon_persistent_disk", "photonPersistentDisk", required=(("pd_id", "pdID"),)),
    _of("portworx_volume", "portworxVolume", required=(_VOLUME_ID,)),
    _of(
        "azure_disk",
        "azureDisk",
        drivers.azure_disk,
        required=(("disk_name", "diskName"), ("disk_uri", "diskURI")),
    ),
    _of("storageos", "storageos", drivers.storage_os),
    _of("projected", "projected", files.projected),
    _of(
        "scale_io",
        "scaleIO",
        required=(("gateway", "gateway"), ("system", "system"), ("volume_name", "volumeName")),
    ),
    _of("csi", "csi", _csi, required=(("driver", "driver"),)),
    _of("ephemeral", "ephemeral", _ephemeral),
    _of("image", "image", _image, required=(("reference", "reference"),)),
)
"""In the order in which kube-apiserver checks them, with the names that its errors have, misspelt or not."""
