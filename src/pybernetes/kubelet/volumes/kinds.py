"""The list of all kinds of volumes, and of all sources of projected volumes.

The first plugin that takes a volume sets it up, so the order matters only if two kinds take the same field.
"""

from typing import Any

from pybernetes.kubelet.volumes.config_map import ConfigMapFiles, ConfigMapVolume
from pybernetes.kubelet.volumes.downward_api import DownwardAPIFiles, DownwardAPIVolume
from pybernetes.kubelet.volumes.empty_dir import EmptyDirVolume
from pybernetes.kubelet.volumes.host_path import HostPathVolume
from pybernetes.kubelet.volumes.plugin import Host, VolumePlugin
from pybernetes.kubelet.volumes.projected import ProjectedVolume
from pybernetes.kubelet.volumes.projection import Projection
from pybernetes.kubelet.volumes.secret import SecretFiles, SecretVolume
from pybernetes.kubelet.volumes.service_account_token import ServiceAccountTokenFiles


def volume_plugins(host: Host) -> tuple[VolumePlugin[Any], ...]:
    """All kinds of volumes."""
    return (
        EmptyDirVolume(),
        HostPathVolume(),
        ConfigMapVolume(host),
        SecretVolume(host),
        DownwardAPIVolume(host),
        ProjectedVolume(host, projections(host)),
    )


def projections(host: Host) -> tuple[Projection[Any], ...]:
    """All sources of projected volumes."""
    return (
        ServiceAccountTokenFiles(host),
        ConfigMapFiles(host),
        SecretFiles(host),
        DownwardAPIFiles(host),
    )
