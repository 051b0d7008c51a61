"""Validation of volumes that are made of files: secrets, ConfigMaps, fields of the pod, tokens and certificates."""

from dataclasses import dataclass, field

from pybernetes.api import rules
from pybernetes.api.core.field_ref_validation import VOLUME_FIELDS, validate_field_ref, validate_resource_ref
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.api.core.signer_validation import (
    is_kubernetes_signer,
    trust_bundle_name,
    validate_signer_name,
    validate_user_annotations,
)
from pybernetes.api.core.volume import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    PodCertificateProjection,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from pybernetes.api.field import Errors, Path

MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_HOUR, _DAY = 3600, 86400
MAX_CERTIFICATE_SECONDS = 91 * _DAY


def secret(source: SecretVolumeSource, path: Path, errors: Errors) -> None:
    """The keys of a Secret as files."""
    _defaults(source, path, errors)
    _items(source.items, path / "items", errors)


def config_map(source: ConfigMapVolumeSource, path: Path, errors: Errors) -> None:
    """The keys of a ConfigMap as files."""
    if not source.name:
        errors.required(path / "name")
    _defaults(source, path, errors)
    _items(source.items, path / "items", errors)


def downward_api(source: DownwardAPIVolumeSource, path: Path, errors: Errors) -> None:
    """Fields of the pod as files."""
    _defaults(source, path, errors)
    for item in source.items:
        _downward_file(item, path, errors)


def projected(source: ProjectedVolumeSource, path: Path, errors: Errors) -> None:
    """Files of several sources."""
    _defaults(source, path, errors)
    files = _Files(path, errors)
    for index, part in enumerate(source.sources):
        files.add(part, path / "sources" @ index)


def _defaults(
    source: SecretVolumeSource | ConfigMapVolumeSource | DownwardAPIVolumeSource | ProjectedVolumeSource,
    path: Path,
    errors: Errors,
) -> None:
    _mode(source.default_mode, path / "defaultMode", errors)
    rules.identity(source.default_user, path / "defaultUser", errors)


def _mode(mode: int | None, path: Path, errors: Errors) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        errors.invalid(path, mode, MODE_TEXT)


def _items(items: list[KeyToPath], path: Path, errors: Errors) -> None:
    for index, item in enumerate(items):
        _item(item, path @ index, errors)


def _item(item: KeyToPath, path: Path, errors: Errors) -> None:
    if not item.key:
        errors.required(path / "key")
    _file(item.path, path / "path", errors)
    _mode(item.mode, path / "mode", errors)
    rules.identity(item.user, path / "user", errors)


def _file(name: str, path: Path, errors: Errors) -> None:
    if not name:
        errors.required(path)
    rules.file_path(name, path, errors)


def _downward_file(item: DownwardAPIVolumeFile, path: Path, errors: Errors) -> None:
    _file(item.path, path / "path", errors)
    if item.field_ref is not None:
        validate_field_ref(item.field_ref, VOLUME_FIELDS, path / "fieldRef", errors)
        if item.resource_field_ref is not None:
            errors.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif item.resource_field_ref is not None:
        validate_resource_ref(item.resource_field_ref, path / "resourceFieldRef", errors, in_volume=True)
    else:
        errors.required(path, "one of fieldRef and resourceFieldRef is required")
    _mode(item.mode, path / "mode", errors)
    rules.identity(item.user, path / "user", errors)


@dataclass(slots=True)
class _Files:
    """The files of a projected volume, whose paths must differ."""

    path: Path
    errors: Errors
    taken: set[str] = field(default_factory=set)

    def add(self, part: VolumeProjection, path: Path) -> None:
        """Validate one source, in the order in which kube-apiserver does."""
        given = 0
        if part.secret is not None:
            given += 1
            self._keys(part.secret, path / "secret")
        if part.config_map is not None:
            given += 1
            self._keys(part.config_map, path / "configMap")
        if part.downward_api is not None:
            given += 1
            self._downward(part.downward_api, path / "downwardAPI")
        if part.service_account_token is not None:
            given += 1
            self._token(part.service_account_token, path / "serviceAccountToken")
        if part.cluster_trust_bundle is not None:
            given += 1
            self._trust_bundle(part.cluster_trust_bundle, path / "clusterTrustBundle")
        if part.pod_certificate is not None:
            given += 1
            self._certificate(part.pod_certificate, path / "podCertificate")
        if given > 1:
            self.errors.forbidden(path, "may not specify more than 1 volume type per source")

    def _take(self, name: str, shown: str) -> None:
        if name in self.taken:
            self.errors.invalid(self.path, shown, "conflicting duplicate paths")
        self.taken.add(name)

    def _keys(self, source: SecretProjection | ConfigMapProjection, path: Path) -> None:
        if not source.name:
            self.errors.required(path / "name")
        for index, item in enumerate(source.items):
            _item(item, path / "items" @ index, self.errors)
            if item.path:
                self._take(item.path, source.name)

    def _downward(self, source: DownwardAPIProjection, path: Path) -> None:
        for item in source.items:
            _downward_file(item, path, self.errors)
            if item.path:
                self._take(item.path, item.path)

    def _token(self, source: ServiceAccountTokenProjection, path: Path) -> None:
        seconds = source.expiration_seconds
        if seconds is not None and seconds < 600:
            text = "may not specify a duration less than 10 minutes"
            self.errors.invalid(path / "expirationSeconds", seconds, text)
        if seconds is not None and seconds > 1 << 32:
            text = "may not specify a duration larger than 2^32 seconds"
            self.errors.invalid(path / "expirationSeconds", seconds, text)
        # kube-apiserver reports the token's path at the volume.
        _file(source.path, self.path / "path", self.errors)
        rules.identity(source.user, path / "user", self.errors)

    def _trust_bundle(self, source: ClusterTrustBundleProjection, path: Path) -> None:
        errors = self.errors
        if source.name is not None and source.signer_name is not None:
            errors.invalid(path, source, "only one of name and signerName may be used")
        elif source.name is not None:
            self._named_bundle(source, source.name, path)
        elif source.signer_name is not None:
            if not source.signer_name:
                errors.required(path / "signerName", "must be a valid signer name")
            validate_signer_name(source.signer_name, path / "signerName", errors)
            if source.label_selector is not None:
                rules.label_selector(source.label_selector, path / "labelSelector", errors)
        else:
            errors.required(path, "either name or signerName must be specified")
        if not source.path:
            errors.required(path / "path")
        rules.identity(source.user, path / "user", errors)
        rules.file_path(source.path, path / "path", errors)
        self._take(source.path, source.path)

    def _named_bundle(self, source: ClusterTrustBundleProjection, name: str, path: Path) -> None:
        if not name:
            self.errors.required(path / "name", "must be a valid object name")
        for message in trust_bundle_name(name):
            self.errors.invalid(path / "name", name, f"not a valid clustertrustbundlename: {message}")
        if source.label_selector is not None:
            text = "labelSelector must be unset if name is specified"
            self.errors.invalid(path / "labelSelector", source.label_selector, text)

    def _certificate(self, source: PodCertificateProjection, path: Path) -> None:
        validate_signer_name(source.signer_name, path / "signerName", self.errors)
        validate_user_annotations(source.user_annotations, path / "userAnnotations", self.errors)
        rules.identity(source.user, path / "user", self.errors)
        if source.key_type not in KEY_TYPES:
            self.errors.not_supported(path / "keyType", source.key_type, list(KEY_TYPES))
        self._certificate_lifetime(source, path / "maxExpirationSeconds")
        given = [
            (name, value)
            for name, value in (
                ("credentialBundlePath", source.credential_bundle_path),
                ("keyPath", source.key_path),
                ("certificateChainPath", source.certificate_chain_path),
            )
            if value
        ]
        for name, value in given:
            rules.file_path(value, path / name, self.errors)
            self._take(value, value)
        if not given:
            text = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
            self.errors.required(path, text)

    def _certificate_lifetime(self, source: PodCertificateProjection, path: Path) -> None:
        seconds = source.max_expiration_seconds
        if seconds is None:
            return
        limit = _DAY if is_kubernetes_signer(source.signer_name) else MAX_CERTIFICATE_SECONDS
        if seconds < _HOUR:
            self.errors.invalid(path, seconds, f"if provided, maxExpirationSeconds must be >= {_HOUR}")
        if seconds > limit:
            self.errors.invalid(path, seconds, f"if provided, maxExpirationSeconds must be <= {limit}")
