"""A small etcd v3 client: the calls that the store and flannel need, over gRPC, with messages of our own.

It keeps no state but which member answers. What to do about an error is the caller's: see `errors`.
"""

from pybernetes.etcd.client import Credentials, EtcdClient, EtcdTls
from pybernetes.etcd.errors import BadEndpoint, Compacted, EtcdError, LeaseGone, NoSpace, Unavailable
from pybernetes.etcd.ops import EVERYTHING, absent, delete, end_of, put, unchanged

__all__ = [
    "EVERYTHING",
    "BadEndpoint",
    "Compacted",
    "Credentials",
    "EtcdClient",
    "EtcdError",
    "EtcdTls",
    "LeaseGone",
    "NoSpace",
    "Unavailable",
    "absent",
    "delete",
    "end_of",
    "put",
    "unchanged",
]
