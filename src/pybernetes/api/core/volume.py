"""TODOC core/volume.py"""

from pybernetes.api.core.reference import (
    LocalObjectReference,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from pybernetes.api.core.selectors import KeyToPath, ObjectFieldSelector, ResourceFieldSelector
from pybernetes.api.meta import LabelSelector, ObjectMeta, Quantity, Struct, always


class AWSElasticBlockStoreVolumeSource(Struct, kw_only=True):
    """TODOC AWSElasticBlockStoreVolumeSource"""

    volume_id: str = always(str)
    fs_type: str = ""
    partition: int | None = None
    read_only: bool = False


class AzureDiskVolumeSource(Struct, kw_only=True):
    """TODOC AzureDiskVolumeSource"""

    disk_name: str = always(str)
    disk_uri: str = always(str)
    caching_mode: str = ""
    fs_type: str = ""
    kind: str = ""
    read_only: bool = False


class AzureFileVolumeSource(Struct, kw_only=True):
    """TODOC AzureFileVolumeSource"""

    secret_name: str = always(str)
    share_name: str = always(str)
    read_only: bool = False


class CSIVolumeSource(Struct, kw_only=True):
    """TODOC CSIVolumeSource"""

    driver: str = always(str)
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = {}


class CephFSVolumeSource(Struct, kw_only=True):
    """TODOC CephFSVolumeSource"""

    monitors: list[str] = []
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Struct, kw_only=True):
    """TODOC CinderVolumeSource"""

    volume_id: str = always(str)
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class ClusterTrustBundleProjection(Struct, kw_only=True):
    """TODOC ClusterTrustBundleProjection"""

    path: str = always(str)
    label_selector: LabelSelector | None = None
    name: str = ""
    optional: bool | None = None
    signer_name: str = ""
    user: int | None = None


class ConfigMapProjection(Struct, kw_only=True):
    """TODOC ConfigMapProjection"""

    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class ConfigMapVolumeSource(Struct, kw_only=True):
    """TODOC ConfigMapVolumeSource"""

    default_mode: int | None = None
    default_user: int | None = None
    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class DownwardAPIVolumeFile(Struct, kw_only=True):
    """TODOC DownwardAPIVolumeFile"""

    path: str = always(str)
    field_ref: ObjectFieldSelector | None = None
    mode: int | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    user: int | None = None


class DownwardAPIProjection(Struct, kw_only=True):
    """TODOC DownwardAPIProjection"""

    items: list[DownwardAPIVolumeFile] = []


class DownwardAPIVolumeSource(Struct, kw_only=True):
    """TODOC DownwardAPIVolumeSource"""

    default_mode: int | None = None
    default_user: int | None = None
    items: list[DownwardAPIVolumeFile] = []


class EmptyDirVolumeSource(Struct, kw_only=True):
    """TODOC EmptyDirVolumeSource"""

    medium: str = ""
    mode: int | None = None
    size_limit: Quantity | None = None


class VolumeResourceRequirements(Struct, kw_only=True):
    """TODOC VolumeResourceRequirements"""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class PersistentVolumeClaimSpec(Struct, kw_only=True):
    """TODOC PersistentVolumeClaimSpec"""

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
    """TODOC PersistentVolumeClaimTemplate"""

    spec: PersistentVolumeClaimSpec = always(PersistentVolumeClaimSpec)
    metadata: ObjectMeta | None = None


class EphemeralVolumeSource(Struct, kw_only=True):
    """TODOC EphemeralVolumeSource"""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(Struct, kw_only=True):
    """TODOC FCVolumeSource"""

    fs_type: str = ""
    lun: int | None = None
    read_only: bool = False
    target_wwns: list[str] = []
    wwids: list[str] = []


class FlexVolumeSource(Struct, kw_only=True):
    """TODOC FlexVolumeSource"""

    driver: str = always(str)
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Struct, kw_only=True):
    """TODOC FlockerVolumeSource"""

    dataset_name: str = ""
    dataset_uuid: str = ""


class GitRepoVolumeSource(Struct, kw_only=True):
    """TODOC GitRepoVolumeSource"""

    repository: str = always(str)
    directory: str = ""
    revision: str = ""


class GlusterfsVolumeSource(Struct, kw_only=True):
    """TODOC GlusterfsVolumeSource"""

    endpoints: str = always(str)
    path: str = always(str)
    read_only: bool = False


class HostPathVolumeSource(Struct, kw_only=True):
    """TODOC HostPathVolumeSource"""

    path: str = always(str)
    type: str = ""


class ISCSIVolumeSource(Struct, kw_only=True):
    """TODOC ISCSIVolumeSource"""

    iqn: str = always(str)
    lun: int = always(int)
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
    """TODOC ImageVolumeSource"""

    pull_policy: str = ""
    reference: str = ""


class LocalVolumeSource(Struct, kw_only=True):
    """TODOC LocalVolumeSource"""

    path: str = always(str)
    fs_type: str = ""


class NFSVolumeSource(Struct, kw_only=True):
    """TODOC NFSVolumeSource"""

    path: str = always(str)
    server: str = always(str)
    read_only: bool = False


class PersistentVolumeClaimVolumeSource(Struct, kw_only=True):
    """TODOC PersistentVolumeClaimVolumeSource"""

    claim_name: str = always(str)
    read_only: bool = False


class PodCertificateProjection(Struct, kw_only=True):
    """TODOC PodCertificateProjection"""

    key_type: str = always(str)
    signer_name: str = always(str)
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    max_expiration_seconds: int | None = None
    user: int | None = None
    user_annotations: dict[str, str] = {}


class PortworxVolumeSource(Struct, kw_only=True):
    """TODOC PortworxVolumeSource"""

    volume_id: str = always(str)
    fs_type: str = ""
    read_only: bool = False


class SecretProjection(Struct, kw_only=True):
    """TODOC SecretProjection"""

    items: list[KeyToPath] = []
    name: str = ""
    optional: bool | None = None


class ServiceAccountTokenProjection(Struct, kw_only=True):
    """TODOC ServiceAccountTokenProjection"""

    path: str = always(str)
    audience: str = ""
    expiration_seconds: int | None = None
    user: int | None = None


class VolumeProjection(Struct, kw_only=True):
    """TODOC VolumeProjection"""

    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = None
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Struct, kw_only=True):
    """TODOC ProjectedVolumeSource"""

    default_mode: int | None = None
    default_user: int | None = None
    sources: list[VolumeProjection] = []


class QuobyteVolumeSource(Struct, kw_only=True):
    """TODOC QuobyteVolumeSource"""

    registry: str = always(str)
    volume: str = always(str)
    group: str = ""
    read_only: bool = False
    tenant: str = ""
    user: str = ""


class RBDVolumeSource(Struct, kw_only=True):
    """TODOC RBDVolumeSource"""

    image: str = always(str)
    monitors: list[str] = []
    fs_type: str = ""
    keyring: str = ""
    pool: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Struct, kw_only=True):
    """TODOC ScaleIOVolumeSource"""

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
    """TODOC SecretVolumeSource"""

    default_mode: int | None = None
    default_user: int | None = None
    items: list[KeyToPath] = []
    optional: bool | None = None
    secret_name: str = ""


class StorageOSVolumeSource(Struct, kw_only=True):
    """TODOC StorageOSVolumeSource"""

    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class GCEPersistentDiskVolumeSource(Struct, kw_only=True):
    """TODOC GCEPersistentDiskVolumeSource"""

    pd_name: str = always(str)
    fs_type: str = ""
    partition: int | None = None
    read_only: bool = False


class PhotonPersistentDiskVolumeSource(Struct, kw_only=True):
    """TODOC PhotonPersistentDiskVolumeSource"""

    pd_id: str = always(str)
    fs_type: str = ""


class VsphereVirtualDiskVolumeSource(Struct, kw_only=True):
    """TODOC VsphereVirtualDiskVolumeSource"""

    volume_path: str = always(str)
    fs_type: str = ""
    storage_policy_id: str = ""
    storage_policy_name: str = ""


class Volume(Struct, kw_only=True):
    """TODOC Volume"""

    name: str = always(str)
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
