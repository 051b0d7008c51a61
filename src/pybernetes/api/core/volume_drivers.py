"""In-tree volume types of storage vendors, which predate CSI."""

from typing import Annotated

from pybernetes.api.core.reference import LocalObjectReference
from pybernetes.api.facts import Default, Required
from pybernetes.api.meta import Int32, Struct, always, named


class AWSElasticBlockStoreVolumeSource(Struct, kw_only=True):
    """A disk of AWS, attached to the node."""

    volume_id: str = always(str, name="volumeID")
    fs_type: str = ""
    partition: Int32 | None = None
    read_only: bool = False


class AzureDiskVolumeSource(Struct, kw_only=True):
    """A disk of Azure, attached to the node."""

    disk_name: str = always(str)
    disk_uri: str = always(str, name="diskURI")
    caching_mode: Annotated[str, Default("ReadWrite")] = ""
    fs_type: Annotated[str, Default("ext4")] = ""
    kind: Annotated[str, Default("Shared")] = ""
    read_only: Annotated[bool, Default(False)] = False


class AzureFileVolumeSource(Struct, kw_only=True):
    """A file share of Azure."""

    secret_name: str = always(str)
    share_name: str = always(str)
    read_only: bool = False


class CephFSVolumeSource(Struct, kw_only=True):
    """A file system of Ceph."""

    monitors: Annotated[list[str], Required()] = []
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Struct, kw_only=True):
    """A disk of OpenStack, attached to the node."""

    volume_id: str = always(str, name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FCVolumeSource(Struct, kw_only=True):
    """A Fibre Channel disk."""

    fs_type: str = ""
    lun: Int32 | None = None
    read_only: bool = False
    target_wwns: list[str] = named("targetWWNs", list)
    wwids: list[str] = []


class FlexVolumeSource(Struct, kw_only=True):
    """A volume of an exec-based driver; deprecated in favour of CSI."""

    driver: str = always(str)
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Struct, kw_only=True):
    """A volume of Flocker. Deprecated."""

    dataset_name: str = ""
    dataset_uuid: str = named("datasetUUID")


class GitRepoVolumeSource(Struct, kw_only=True):
    """A clone of a git repository; deprecated."""

    repository: str = always(str)
    directory: str = ""
    revision: str = ""


class GlusterfsVolumeSource(Struct, kw_only=True):
    """A file system of Gluster."""

    endpoints: str = always(str)
    path: str = always(str)
    read_only: bool = False


class ISCSIVolumeSource(Struct, kw_only=True):
    """An iSCSI disk."""

    iqn: str = always(str)
    lun: Int32 = always(int)
    target_portal: str = always(str)
    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str | None = None
    iscsi_interface: Annotated[str, Default("default")] = ""
    portals: list[str] = []
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class LocalVolumeSource(Struct, kw_only=True):
    """A disk or directory of one node."""

    path: str = always(str)
    fs_type: str = ""


class NFSVolumeSource(Struct, kw_only=True):
    """A directory of an NFS server."""

    path: str = always(str)
    server: str = always(str)
    read_only: bool = False


class PortworxVolumeSource(Struct, kw_only=True):
    """A volume of Portworx."""

    volume_id: str = always(str, name="volumeID")
    fs_type: str = ""
    read_only: bool = False


class QuobyteVolumeSource(Struct, kw_only=True):
    """A volume of Quobyte."""

    registry: str = always(str)
    volume: str = always(str)
    group: str = ""
    read_only: bool = False
    tenant: str = ""
    user: str = ""


class RBDVolumeSource(Struct, kw_only=True):
    """A block device of Ceph."""

    image: str = always(str)
    monitors: Annotated[list[str], Required()] = []
    fs_type: str = ""
    keyring: Annotated[str, Default("/etc/ceph/keyring")] = ""
    pool: Annotated[str, Default("rbd")] = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: Annotated[str, Default("admin")] = ""


class ScaleIOVolumeSource(Struct, kw_only=True):
    """A volume of ScaleIO."""

    gateway: str = always(str)
    secret_ref: Annotated[LocalObjectReference, Required()] = always(LocalObjectReference)
    system: str = always(str)
    fs_type: Annotated[str, Default("xfs")] = ""
    protection_domain: str = ""
    read_only: bool = False
    ssl_enabled: bool | None = None
    storage_mode: Annotated[str, Default("ThinProvisioned")] = ""
    storage_pool: str = ""
    volume_name: str = ""


class StorageOSVolumeSource(Struct, kw_only=True):
    """A volume of StorageOS."""

    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class GCEPersistentDiskVolumeSource(Struct, kw_only=True):
    """A persistent disk of Google Compute Engine, attached to the node."""

    pd_name: str = always(str)
    fs_type: str = ""
    partition: Int32 | None = None
    read_only: bool = False


class PhotonPersistentDiskVolumeSource(Struct, kw_only=True):
    """A disk of the Photon controller."""

    pd_id: str = always(str, name="pdID")
    fs_type: str = ""


class VsphereVirtualDiskVolumeSource(Struct, kw_only=True):
    """A disk of vSphere, attached to the node."""

    volume_path: str = always(str)
    fs_type: str = ""
    storage_policy_id: str = named("storagePolicyID")
    storage_policy_name: str = ""
