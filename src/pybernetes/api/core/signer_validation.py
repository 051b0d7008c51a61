"""Rules for the names of certificate signers and of trust bundles."""

from pybernetes.api import names
from pybernetes.api.field import Errors, Path
from pybernetes.api.meta_validation import MAX_ANNOTATIONS

MAX_PATH = names.MAX_SUBDOMAIN + names.MAX_LABEL + 1
MAX_SIGNER_NAME = names.MAX_SUBDOMAIN + MAX_PATH + 1


def is_kubernetes_signer(name: str) -> bool:
    """Whether the signer belongs to Kubernetes itself."""
    return f".{name.partition('/')[0]}".endswith(".kubernetes.io")


def validate_signer_name(name: str, path: Path, errors: Errors) -> None:
    """`domain/path`: a domain of two or more labels, and a path of subdomains."""
    if not name:
        errors.required(path)
        return
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        errors.invalid(path, name, text)
        return
    if len(domain) > names.MAX_SUBDOMAIN:
        errors.too_long(path, names.MAX_SUBDOMAIN)
    labels = domain.split(".")
    _first_broken(domain, [(label, names.dns_label(label)) for label in labels], path, errors)
    if len(labels) < 2:
        errors.invalid(path, domain, "should be a domain with at least two segments separated by dots")
    _first_broken(rest, [(label, names.dns_subdomain(label)) for label in rest.split(".")], path, errors)
    if len(name) > MAX_SIGNER_NAME:
        errors.too_long(path, MAX_SIGNER_NAME)


def _first_broken(shown: str, labels: list[tuple[str, list[str]]], path: Path, errors: Errors) -> None:
    for label, messages in labels:
        for message in messages:
            errors.invalid(path, shown, f'validating label "{label}": {message}')
        if messages:
            return


def trust_bundle_name(name: str) -> list[str]:
    """The name of a ClusterTrustBundle; the prefix up to the last colon names its signer."""
    return names.dns_subdomain(name.rpartition(":")[2])


def validate_user_annotations(annotations: dict[str, str], path: Path, errors: Errors) -> None:
    """Keys are qualified names with a domain."""
    size = 0
    for key, value in annotations.items():
        size += len(key.encode()) + len(value.encode())
        messages = names.qualified_name(key.lower()) if key else []
        if not key:
            errors.required(path)
        for message in messages:
            errors.invalid(path, key.lower(), message)
        if key and not messages and "/" not in key:
            errors.invalid(path, key.lower(), 'must be a domain-prefixed key (such as "acme.io/foo")')
    if size > MAX_ANNOTATIONS:
        errors.too_long(path, MAX_ANNOTATIONS)
