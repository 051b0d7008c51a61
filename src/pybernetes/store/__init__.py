"""Keys, bytes, revisions, watches, durability: the state of a cluster. Independent of Kubernetes kinds.

`types` is the contract and `errors` has its exceptions; `sqlite` and `etcd` are the engines; `memory` is the view that
both share.
"""

from pybernetes.store.errors import (
    AlreadyExists,
    Compacted,
    Conflict,
    DiskFull,
    FutureRevision,
    NotFound,
    OpenFailed,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    Unavailable,
    WatchOverflow,
    WriteFailed,
)
from pybernetes.store.types import Event, KeyValue, Page, Stamp, Store, Watch

__all__ = [
    "AlreadyExists",
    "Compacted",
    "Conflict",
    "DiskFull",
    "Event",
    "FutureRevision",
    "KeyValue",
    "NotFound",
    "OpenFailed",
    "Page",
    "Stamp",
    "Store",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "Unavailable",
    "Watch",
    "WatchOverflow",
    "WriteFailed",
]
