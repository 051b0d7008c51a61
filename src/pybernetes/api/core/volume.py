"""Volumes: directories that outlive the containers of a pod, or come from elsewhere. A volume has one source."""

from pybernetes.api.core.reference import (
    LocalObjectReference,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from pybernetes.api.core.selectors import KeyToPath, ObjectFieldSelector, ResourceFieldSelector
from pybernetes.api.meta import Int32, Int64, LabelSelector, ObjectMeta, Quantity, Struct, always


class AWSElasticBlockStoreVolumeSource(Struct, kw_only=True):
    """A disk of AWS, attached to the node."""

    volume_id: str = always(str)
    fs_type: str = ""
    partition: Int32 | None = None
    read_only: bool = False


class AzureDiskVolumeSource(Struct, kw_only=True):
    """A disk of Azure, attached to the node."""

    disk_name: str = always(str)
    disk_uri: str = always(str)
    caching_mode: str = ""
    fs_type: str = ""
    kind: str = ""
    read_only: bool = False


class AzureFileVolumeSource(Struct, kw_only=True):
    """A file share of Azure."""

    secret_name: str = always(str)
    share_name: str = always(str)
    read_only: bool = False


class CSIVolumeSource(Struct, kw_only=True):
    """A volume that a CSI driver makes for this pod alone."""

    driver: str = always(str)
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = {}


class CephFSVolumeSource(Struct, kw_only=True):
    """A file system of Ceph."""

    monitors: list[str] = []
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Struct, kw_only=True):
    """A disk of OpenStack, attached to the node."""

    volume_id: str = always(str)
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class ClusterTrustBundleProjection(Struct, kw_only=True):
    """Certificates of authorities, as a file."""

    path: str = always(str)
    label_selector: LabelSelector | None = None
    name: str = ""
    optional: bool | None = None
    signer_name: str = ""
    user: Int64 | None = None


class ConfigMapProjection(Struct, kw_only=True):
    """The keys of a ConfigMap as files of a projected volume."""

    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class ConfigMapVolumeSource(Struct, kw_only=True):
    """The keys of a ConfigMap as files."""

    default_mode: Int32 | None = None
    """Permissions of the files; 0644 by default."""
    default_user: Int64 | None = None
    items: list[KeyToPath] = []
    """Which keys become which files; all of them by default."""
    name: str = ""
    """The ConfigMap."""
    optional: bool | None = None
    """Whether the pod may start without it."""


class DownwardAPIVolumeFile(Struct, kw_only=True):
    """A file that tells something about the pod itself."""

    path: str = always(str)
    field_ref: ObjectFieldSelector | None = None
    mode: Int32 | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    user: Int64 | None = None


class DownwardAPIProjection(Struct, kw_only=True):
    """Files about the pod itself, in a projected volume."""

    items: list[DownwardAPIVolumeFile] = []


class DownwardAPIVolumeSource(Struct, kw_only=True):
    """Files about the pod itself."""

    default_mode: Int32 | None = None
    default_user: Int64 | None = None
    items: list[DownwardAPIVolumeFile] = []


class EmptyDirVolumeSource(Struct, kw_only=True):
    """A directory that is empty at first and goes with the pod."""

    medium: str = ""
    """Memory for a file system in memory; a disk by default."""
    mode: Int32 | None = None
    size_limit: Quantity | None = None
    """How much may be written to it."""


class VolumeResourceRequirements(Struct, kw_only=True):
    """How much room a volume must have."""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class PersistentVolumeClaimSpec(Struct, kw_only=True):
    """What kind of storage is asked for."""

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
    """A claim that is made for a pod and goes with it."""

    spec: PersistentVolumeClaimSpec = always(PersistentVolumeClaimSpec)
    metadata: ObjectMeta | None = None


class EphemeralVolumeSource(Struct, kw_only=True):
    """Storage from a claim that is made for the pod and goes with it."""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(Struct, kw_only=True):
    """A Fibre Channel disk."""

    fs_type: str = ""
    lun: Int32 | None = None
    read_only: bool = False
    target_wwns: list[str] = []
    wwids: list[str] = []


class FlexVolumeSource(Struct, kw_only=True):
    """A volume of an exec-based driver; deprecated in favour of CSI."""

    driver: str = always(str)
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Struct, kw_only=True):
    """A volume of Flocker, which is no more."""

    dataset_name: str = ""
    dataset_uuid: str = ""


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


class HostPathVolumeSource(Struct, kw_only=True):
    """A file or directory of the node. Whoever may use it may do a lot to the node."""

    path: str = always(str)
    """The path on the node."""
    type: str = ""
    """What must be there, or is to be made: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, ..."""


class ISCSIVolumeSource(Struct, kw_only=True):
    """An iSCSI disk."""

    iqn: str = always(str)
    lun: Int32 = always(int)
    target_portal: str = always(str)
    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iscsi_interface: str = ""
    portals: list[str] = []
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class ImageVolumeSource(Struct, kw_only=True):
    """The content of an OCI image or artifact, read-only."""

    pull_policy: str = ""
    reference: str = ""


class LocalVolumeSource(Struct, kw_only=True):
    """A disk or directory of one node."""

    path: str = always(str)
    fs_type: str = ""


class NFSVolumeSource(Struct, kw_only=True):
    """A directory of an NFS server."""

    path: str = always(str)
    server: str = always(str)
    read_only: bool = False


class PersistentVolumeClaimVolumeSource(Struct, kw_only=True):
    """The volume that a claim of the namespace is bound to."""

    claim_name: str = always(str)
    read_only: bool = False


class PodCertificateProjection(Struct, kw_only=True):
    """A private key and a certificate for the pod, renewed by the kubelet."""

    key_type: str = always(str)
    signer_name: str = always(str)
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    max_expiration_seconds: Int32 | None = None
    user: Int64 | None = None
    user_annotations: dict[str, str] = {}


class PortworxVolumeSource(Struct, kw_only=True):
    """A volume of Portworx."""

    volume_id: str = always(str)
    fs_type: str = ""
    read_only: bool = False


class SecretProjection(Struct, kw_only=True):
    """The keys of a Secret as files of a projected volume."""

    items: list[KeyToPath] = []
    name: str = ""
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
    downward_api: DownwardAPIProjection | None = None
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Struct, kw_only=True):
    """Files of several sources in one directory."""

    default_mode: Int32 | None = None
    default_user: Int64 | None = None
    sources: list[VolumeProjection] = []


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
    monitors: list[str] = []
    fs_type: str = ""
    keyring: str = ""
    pool: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Struct, kw_only=True):
    """A volume of ScaleIO."""

    gateway: str = always(str)
    secret_ref: LocalObjectReference = always(LocalObjectReference)
    system: str = always(str)
    fs_type: str = ""
    protection_domain: str = ""
    read_only: bool = False
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    volume_name: str = ""


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


class StorageOSVolumeSource(Struct, kw_only=True):
    """A volume of StorageOS."""

    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class GCEPersistentDiskVolumeSource(Struct, kw_only=True):
    """A disk of Google's cloud, attached to the node."""

    pd_name: str = always(str)
    fs_type: str = ""
    partition: Int32 | None = None
    read_only: bool = False


class PhotonPersistentDiskVolumeSource(Struct, kw_only=True):
    """A disk of the Photon controller."""

    pd_id: str = always(str)
    fs_type: str = ""


class VsphereVirtualDiskVolumeSource(Struct, kw_only=True):
    """A disk of vSphere, attached to the node."""

    volume_path: str = always(str)
    fs_type: str = ""
    storage_policy_id: str = ""
    storage_policy_name: str = ""


class Volume(Struct, kw_only=True):
    """A directory that containers of the pod can mount. Without a source it is an emptyDir."""

    name: str = always(str)
    """Unique within the pod; a DNS label."""
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    """Keys of a ConfigMap as files."""
    csi: CSIVolumeSource | None = None
    """A volume of a CSI driver."""
    downward_api: DownwardAPIVolumeSource | None = None
    """Facts about the pod as files."""
    empty_dir: EmptyDirVolumeSource | None = None
    """A directory that goes with the pod."""
    ephemeral: EphemeralVolumeSource | None = None
    """Storage from a claim that goes with the pod."""
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
    """The volume of a claim."""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    """Several sources in one directory."""
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    """Keys of a Secret as files."""
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
