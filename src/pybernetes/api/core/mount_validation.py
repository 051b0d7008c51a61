"""Validation of the places where a container sees volumes: mounts and raw block devices."""

from collections.abc import Mapping

from pybernetes.api import rules
from pybernetes.api.core.container import Container, EphemeralContainer, VolumeDevice, VolumeMount
from pybernetes.api.core.volume import Volume
from pybernetes.api.field import Errors, Path

PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE_READ_ONLY = ("Disabled", "Enabled", "IfPossible")
BIND_OPTIONS = ("nodev", "noexec", "nosuid")


def validate_mounts(
    container: Container | EphemeralContainer, volumes: Mapping[str, Volume], path: Path, errors: Errors
) -> None:
    """Mounts of valid volumes, each at a different path."""
    if not container.volume_mounts:
        return
    context = container.security_context
    privileged = context is not None and bool(context.privileged)
    devices = {device.name: device.device_path for device in container.volume_devices}
    device_paths = set(devices.values())
    seen: set[str] = set()
    for index, mount in enumerate(container.volume_mounts):
        place = path @ index
        if not mount.name:
            errors.required(place / "name")
        if mount.name not in volumes:
            errors.not_found(place / "name", mount.name)
        if not mount.mount_path:
            errors.required(place / "mountPath")
        if mount.mount_path in seen:
            errors.invalid(place / "mountPath", mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        if mount.name in devices:
            errors.invalid(place / "name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in device_paths:
            errors.invalid(place / "mountPath", mount.mount_path, "must not already exist as a path in volumeDevices")
        # kube-apiserver reports some fields of a mount without its index.
        _sub_path(mount, place, path, errors)
        _propagation(mount.mount_propagation, privileged, path / "mountPropagation", errors)
        _recursive_read_only(mount, path / "recursiveReadOnly", errors)
        if mount.bind_mount_options:
            _bind_options(mount, volumes.get(mount.name), place / "bindMountOptions", errors)


def _sub_path(mount: VolumeMount, place: Path, mounts: Path, errors: Errors) -> None:
    if mount.sub_path:
        rules.relative_path(mount.sub_path, mounts / "subPath", errors)
    if mount.sub_path_expr:
        if mount.sub_path:
            errors.invalid(place / "subPathExpr", mount.sub_path_expr, "subPathExpr and subPath are mutually exclusive")
        rules.relative_path(mount.sub_path_expr, mounts / "subPathExpr", errors)


def _propagation(mode: str, privileged: bool, path: Path, errors: Errors) -> None:
    if mode and mode not in PROPAGATIONS:
        errors.not_supported(path, mode, list(PROPAGATIONS))
    if mode == "Bidirectional" and not privileged:
        errors.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _recursive_read_only(mount: VolumeMount, path: Path, errors: Errors) -> None:
    mode = mount.recursive_read_only
    if mode and mode not in RECURSIVE_READ_ONLY:
        errors.not_supported(path, mode, list(RECURSIVE_READ_ONLY))
    elif mode in ("Enabled", "IfPossible"):
        if not mount.read_only:
            errors.forbidden(path, "may only be specified when readOnly is true")
        if mount.mount_propagation not in ("", "None"):
            errors.forbidden(path, "may only be specified when mountPropagation is None or not specified")


def _bind_options(mount: VolumeMount, volume: Volume | None, path: Path, errors: Errors) -> None:
    seen: set[str] = set()
    for index, option in enumerate(mount.bind_mount_options):
        if option not in BIND_OPTIONS:
            errors.not_supported(path @ index, option, list(BIND_OPTIONS))
        if option in seen:
            errors.duplicate(path @ index, option)
        seen.add(option)
    if volume is not None and volume.image is not None:
        text = "bindMountOptions may not be used with image volumes"
        errors.invalid(path, mount.bind_mount_options, text)


def validate_devices(
    container: Container | EphemeralContainer, volumes: Mapping[str, Volume], path: Path, errors: Errors
) -> None:
    """Devices from volumes of claims, each at a different path."""
    if not container.volume_devices:
        return
    mounts = {mount.name: mount.mount_path for mount in container.volume_mounts}
    mount_paths = set(mounts.values())
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    for index, device in enumerate(container.volume_devices):
        place = path @ index
        if not device.name:
            errors.required(place / "name")
        if device.name in seen_names:
            errors.invalid(place / "name", device.name, "must be unique")
        _device_volume(device, volumes, place / "name", errors)
        _device_path(device.device_path, seen_paths, place / "devicePath", errors)
        if device.name in mounts:
            errors.invalid(place / "name", device.name, "must not already exist in volumeMounts")
        if device.device_path in mount_paths:
            text = "must not already exist as a path in volumeMounts"
            errors.invalid(place / "devicePath", device.device_path, text)
        if device.name:
            seen_names.add(device.name)


def _device_volume(device: VolumeDevice, volumes: Mapping[str, Volume], path: Path, errors: Errors) -> None:
    volume = volumes.get(device.name)
    if volume is None:
        errors.not_found(path, device.name)
    elif volume.persistent_volume_claim is None and volume.ephemeral is None:
        text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        errors.invalid(path, device.name, text)


def _device_path(device_path: str, seen: set[str], path: Path, errors: Errors) -> None:
    if not device_path:
        errors.required(path)
    if device_path in seen:
        errors.invalid(path, device_path, "must be unique")
    if ".." in device_path.split("/"):
        errors.invalid(path, device_path, "can not contain backsteps ('..')")
    else:
        seen.add(device_path)
