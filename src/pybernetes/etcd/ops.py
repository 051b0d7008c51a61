"""Helpers to write the parts of a transaction."""

from pybernetes.etcd.etcdpb import etcd_pb2 as pb

EVERYTHING = b"\0"
"""Used as both ends of a range, it means all keys."""


def end_of(prefix: bytes) -> bytes:
    """The range end for a prefix: the first key after all keys that start with it."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else EVERYTHING


def put(key: str, value: bytes, *, lease: int = 0) -> pb.RequestOp:
    """Write a key; with a lease, etcd deletes it when the lease ends."""
    return pb.RequestOp(request_put=pb.PutRequest(key=key.encode(), value=value, lease=lease))


def delete(key: str) -> pb.RequestOp:
    """Delete one key, if it exists."""
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key.encode()))


def absent(key: str) -> pb.Compare:
    """The key does not exist."""
    return pb.Compare(target=pb.Compare.CREATE, key=key.encode(), create_revision=0)


def unchanged(key: str, mod_revision: int) -> pb.Compare:
    """The key was last written at this revision."""
    return pb.Compare(target=pb.Compare.MOD, key=key.encode(), mod_revision=mod_revision)
