"""Parse the name of a pod as users write it: `web`, `pod/web`, or `prod/web` as our own output has it."""

import re

from pybernetes.cluster.errors import ConfigError

_KINDS = ("pod", "pods", "po")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def pod_reference(text: str, namespace: str) -> tuple[str, str]:
    """Return namespace and name. Raises ConfigError."""
    parts = text.split("/")
    if len(parts) > 1 and parts[0] in _KINDS:
        parts = parts[1:]
    if not 1 <= len(parts) <= 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise ConfigError(f"{text!r} is not the name of a pod; expected NAME, pod/NAME or NAMESPACE/NAME")
    return (namespace, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
