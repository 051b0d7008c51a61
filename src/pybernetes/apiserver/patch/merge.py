"""JSON merge patch (RFC 7386): maps merge, null deletes, all other values replace."""

from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import Json, clone, guarded


def apply(doc: Json, patch: Json) -> Json:
    """The patched document. A patch of a Kubernetes object must itself be an object."""
    if not isinstance(patch, dict):
        raise PatchError("a merge patch must be a JSON object")
    return guarded(lambda: merge(doc, patch))


def merge(target: Json, patch: Json) -> Json:
    """MergePatch of RFC 7386, for any values. The result shares nothing with the arguments."""
    if not isinstance(patch, dict):
        return clone(patch)
    result: dict[str, Json] = {}
    source = target if isinstance(target, dict) else {}
    for key in source:
        if key not in patch:
            result[key] = clone(source[key])
        elif patch[key] is not None:
            result[key] = merge(source[key], patch[key])
    for key, value in patch.items():
        if key not in source and value is not None:
            result[key] = merge(None, value)
    return result
