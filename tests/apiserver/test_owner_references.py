"""Owner references that occur twice."""

from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.apiserver.metadata import merge_owners


def _owner(uid: str, name: str = "a") -> OwnerReference:
    return OwnerReference(api_version="v1", kind="Pod", name=name, uid=uid)


def test_equal_owner_references_are_merged_with_a_warning() -> None:
    meta = ObjectMeta(owner_references=[_owner("1"), _owner("2"), _owner("1"), _owner("1", "b")])
    (warning,) = merge_owners(meta)
    assert warning.endswith("duplicate UID(s) observed: 1")
    assert meta.owner_references == [_owner("1"), _owner("2"), _owner("1", "b")]


def test_different_owner_references_are_kept() -> None:
    meta = ObjectMeta(owner_references=[_owner("1"), _owner("2")])
    assert merge_owners(meta) == []
    assert len(meta.owner_references) == 2
