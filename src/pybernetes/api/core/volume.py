"""Volumes of pods. A volume has exactly one source."""

from typing import Annotated

from pybernetes.api.core.reference import (
    LocalObjectReference,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from pybernetes.api.core.selectors import KeyToPath, ObjectFieldSelector, ResourceFieldSelector
from pybernetes.api.core.volume_drivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    LocalVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from pybernetes.api.facts import Required
from pybernetes.api.meta import Int32, Int64, LabelSelector, ObjectMeta, Quantity, Struct, always, named

__all__ = [
    "AWSElasticBlockStoreVolumeSource",
    "AzureDiskVolumeSource",
    "AzureFileVolumeSource",
    "CSIVolumeSource",
    "CephFSVolumeSource",
    "CinderVolumeSource",
    "ClusterTrustBundleProjection",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "DownwardAPIProjection",
    "DownwardAPIVolumeFile",
    "DownwardAPIVolumeSource",
    "EmptyDirVolumeSource",
    "EphemeralVolumeSource",
    "FCVolumeSource",
    "FlexVolumeSource",
    "FlockerVolumeSource",
    "GCEPersistentDiskVolumeSource",
    "GitRepoVolumeSource",
    "GlusterfsVolumeSource",
    "HostPathVolumeSource",
    "ISCSIVolumeSource",
    "ImageVolumeSource",
    "LocalVolumeSource",
    "NFSVolumeSource",
    "PersistentVolumeClaimSpec",
    "PersistentVolumeClaimTemplate",
    "PersistentVolumeClaimVolumeSource",
    "PhotonPersistentDiskVolumeSource",
    "PodCertificateProjection",
    "PortworxVolumeSource",
    "ProjectedVolumeSource",
    "QuobyteVolumeSource",
    "RBDVolumeSource",
    "ScaleIOVolumeSource",
    "SecretProjection",
    "SecretVolumeSource",
    "ServiceAccountTokenProjection",
    "StorageOSVolumeSource",
    "Volume",
    "VolumeProjection",
    "VolumeResourceRequirements",
    "VsphereVirtualDiskVolumeSource",
]


class CSIVolumeSource(Struct, kw_only=True):
    """An ephemeral volume of a CSI driver."""

    driver: str = always(str)
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = {}


class ClusterTrustBundleProjection(Struct, kw_only=True):
    """The certificates of a ClusterTrustBundle as a file."""

    path: str = always(str)
    label_selector: LabelSelector | None = None
    name: str | None = None
    optional: bool | None = None
    signer_name: str | None = None
    user: Int64 | None = None


class ConfigMapProjection(LocalObjectReference, kw_only=True):
    """The keys of a ConfigMap as files of a projected volume."""

    items: list[KeyToPath] = []
    optional: bool | None = None


class ConfigMapVolumeSource(LocalObjectReference, kw_only=True):
    """The keys of a ConfigMap as files."""

    default_mode: Int32 | None = None
    """Permissions of the files; 0644 by default."""
    default_user: Int64 | None = None
    items: list[KeyToPath] = []
    """Which keys become which files; all of them by default."""
    optional: bool | None = None
    """Whether the pod may start without it."""


class DownwardAPIVolumeFile(Struct, kw_only=True):
    """A file with a field or resource of the pod."""

    path: str = always(str)
    field_ref: ObjectFieldSelector | None = None
    mode: Int32 | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    user: Int64 | None = None


class DownwardAPIProjection(Struct, kw_only=True):
    """Files with fields and resources of the pod, in a projected volume."""

    items: list[DownwardAPIVolumeFile] = []


class DownwardAPIVolumeSource(Struct, kw_only=True):
    """Files with fields and resources of the pod."""

    default_mode: Int32 | None = None
    default_user: Int64 | None = None
    items: list[DownwardAPIVolumeFile] = []


class EmptyDirVolumeSource(Struct, kw_only=True):
    """An initially empty directory with the lifetime of the pod."""

    medium: str = ""
    """Memory for a tmpfs; the node's disk by default."""
    mode: Int32 | None = None
    size_limit: Quantity | None = None
    """The maximum size."""


class VolumeResourceRequirements(Struct, kw_only=True):
    """The requested capacity of a volume."""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class PersistentVolumeClaimSpec(Struct, kw_only=True):
    """The requested storage."""

    access_modes: list[str] = []
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements = always(VolumeResourceRequirements)
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str = ""
    volume_name: str = ""


class PersistentVolumeClaimTemplate(Struct, kw_only=True):
    """The template of a claim with the lifetime of the pod."""

    spec: Annotated[PersistentVolumeClaimSpec, Required()] = always(PersistentVolumeClaimSpec)
    metadata: ObjectMeta = always(ObjectMeta)


class EphemeralVolumeSource(Struct, kw_only=True):
    """A volume from a claim with the lifetime of the pod."""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class HostPathVolumeSource(Struct, kw_only=True):
    """A file or directory of the node. Access to it can compromise the node."""

    path: str = always(str)
    """The path on the node."""
    type: str = ""
    """What must exist or is created: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, ..."""


class ImageVolumeSource(Struct, kw_only=True):
    """The content of an OCI image or artifact, read-only."""

    pull_policy: str = ""
    reference: str = ""


class PersistentVolumeClaimVolumeSource(Struct, kw_only=True):
    """The volume that a PersistentVolumeClaim of the namespace is bound to."""

    claim_name: str = always(str)
    read_only: bool = False


class PodCertificateProjection(Struct, kw_only=True):
    """A private key and a certificate for the pod, renewed by the kubelet."""

    key_type: Annotated[str, Required()] = ""
    signer_name: Annotated[str, Required()] = ""
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    max_expiration_seconds: Int32 | None = None
    user: Int64 | None = None
    user_annotations: dict[str, str] = {}


class SecretProjection(LocalObjectReference, kw_only=True):
    """The keys of a Secret as files of a projected volume."""

    items: list[KeyToPath] = []
    optional: bool | None = None


class ServiceAccountTokenProjection(Struct, kw_only=True):
    """A token of the pod's service account, renewed by the kubelet."""

    path: str = always(str)
    audience: str = ""
    expiration_seconds: Int64 | None = None
    user: Int64 | None = None


class VolumeProjection(Struct, kw_only=True):
    """One source of a projected volume; exactly one field is set."""

    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = named("downwardAPI", None)
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Struct, kw_only=True):
    """Combines files of several sources in one directory."""

    default_mode: Int32 | None = None
    default_user: Int64 | None = None
    sources: list[VolumeProjection] = []


class SecretVolumeSource(Struct, kw_only=True):
    """The keys of a Secret as files, kept in memory."""

    default_mode: Int32 | None = None
    """Permissions of the files; 0644 by default."""
    default_user: Int64 | None = None
    items: list[KeyToPath] = []
    """Which keys become which files; all of them by default."""
    optional: bool | None = None
    """Whether the pod may start without it."""
    secret_name: str = ""
    """The Secret."""


class VolumeSource(Struct, kw_only=True):
    """The source of a volume; exactly one field is set."""

    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    """Keys of a ConfigMap as files."""
    csi: CSIVolumeSource | None = None
    """A volume of a CSI driver."""
    downward_api: DownwardAPIVolumeSource | None = named("downwardAPI", None)
    """Fields and resources of the pod as files."""
    empty_dir: EmptyDirVolumeSource | None = None
    """An empty directory with the lifetime of the pod."""
    ephemeral: EphemeralVolumeSource | None = None
    """A volume from a claim with the lifetime of the pod."""
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    """A file or directory of the node."""
    image: ImageVolumeSource | None = None
    """The content of an image."""
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    """A directory of an NFS server."""
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    """The volume of a PersistentVolumeClaim."""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    """Several sources in one directory."""
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = named("scaleIO", None)
    secret: SecretVolumeSource | None = None
    """Keys of a Secret as files."""
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class Volume(VolumeSource, kw_only=True):
    """A directory that containers of the pod can mount. Without a source it is an emptyDir."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
