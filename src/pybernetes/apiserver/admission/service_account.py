"""ServiceAccount: every pod runs as a service account, and has a token for it at a well-known path."""

import random

from pybernetes.api import names
from pybernetes.api.core.container import VolumeMount
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.selectors import KeyToPath, ObjectFieldSelector
from pybernetes.api.core.service_account import KIND, ServiceAccount
from pybernetes.api.core.volume import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.admission.plugin import Base, wants
from pybernetes.apiserver.admission.request import AdmissionRequest
from pybernetes.store.types import Store

MIRROR = "kubernetes.io/config.mirror"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""an hour and a bit: the odd number tells the server that the kubelet refreshes this token, not the pod"""
_PREFIX = "kube-api-access-"


class ServiceAccountAdmission(Base):
    """Changes new pods."""

    name = "ServiceAccount"
    interest = wants("CREATE", resources=["pods"])

    def __init__(self, store: Store, rng: random.Random) -> None:
        self._store = store
        self._rng = rng

    async def admit(self, request: AdmissionRequest) -> None:
        """Raises Forbidden if the account does not exist."""
        pod: Pod = request.obj
        if MIRROR in pod.metadata.annotations:
            self._check_mirror(request, pod)
            return
        spec = pod.spec
        spec.service_account_name = spec.service_account_name or "default"
        spec.service_account = spec.service_account_name
        account = self._account(request, spec.service_account_name)
        if _wants_token(pod, account):
            mount_token(pod, self._rng)
        if not spec.image_pull_secrets:
            spec.image_pull_secrets = list(account.image_pull_secrets)

    def _account(self, request: AdmissionRequest, name: str) -> ServiceAccount:
        kv = self._store.get(KIND.key(request.namespace, name))
        if kv is None:
            why = f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden_kind(request.kind, request.name, why)
        return codec.decode(kv.value, ServiceAccount)

    def _check_mirror(self, request: AdmissionRequest, pod: Pod) -> None:
        """A mirror pod may not refer to objects in the API."""
        if pod.spec.service_account_name:
            raise errors.forbidden_kind(request.kind, request.name, "a mirror pod may not reference service accounts")
        for volume in pod.spec.volumes:
            if volume.secret is not None:
                raise errors.forbidden_kind(request.kind, request.name, "a mirror pod may not reference secrets")
            sources = volume.projected.sources if volume.projected is not None else []
            if any(source.service_account_token is not None for source in sources):
                why = "a mirror pod may not use ServiceAccountToken volume projections"
                raise errors.forbidden_kind(request.kind, request.name, why)


def _wants_token(pod: Pod, account: ServiceAccount) -> bool:
    if pod.spec.automount_service_account_token is not None:
        return pod.spec.automount_service_account_token
    return account.automount_service_account_token is not False


def mount_token(pod: Pod, rng: random.Random) -> None:
    """Add the volume with token, CA and namespace, and mount it in containers that have no other mount at its path."""
    spec = pod.spec
    present = next((v.name for v in spec.volumes if v.name.startswith(_PREFIX)), "")
    name = present or _PREFIX + names.random_suffix(rng)
    used = False
    for container in (*spec.init_containers, *spec.containers):
        if all(mount.mount_path != MOUNT_PATH for mount in container.volume_mounts):
            mount = VolumeMount(name=name, mount_path=MOUNT_PATH, read_only=True)
            container.volume_mounts = [*container.volume_mounts, mount]
            used = True
    if used and not present:
        spec.volumes = [*spec.volumes, Volume(name=name, projected=token_volume())]


def token_volume() -> ProjectedVolumeSource:
    """Token, cluster CA and namespace as files."""
    return ProjectedVolumeSource(
        default_mode=0o644,
        sources=[
            VolumeProjection(
                service_account_token=ServiceAccountTokenProjection(expiration_seconds=TOKEN_SECONDS, path="token")
            ),
            VolumeProjection(
                config_map=ConfigMapProjection(name="kube-root-ca.crt", items=[KeyToPath(key="ca.crt", path="ca.crt")])
            ),
            VolumeProjection(
                downward_api=DownwardAPIProjection(
                    items=[
                        DownwardAPIVolumeFile(
                            path="namespace",
                            field_ref=ObjectFieldSelector(api_version="v1", field_path="metadata.namespace"),
                        )
                    ]
                )
            ),
        ],
    )
