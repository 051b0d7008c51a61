"""What a call to etcd can come to: one class per decision of the caller."""


class EtcdError(Exception):
    """etcd refused; the message says which member and why."""


class BadEndpoint(EtcdError):
    """The addresses or the TLS files can't be used as they are; nothing was asked yet."""


class Unavailable(EtcdError):
    """No answer. A write may or may not have happened."""


class Compacted(EtcdError):
    """The history asked for is gone; `revision` is the oldest that is left, 0 where etcd does not say. List anew."""

    def __init__(self, revision: int = 0) -> None:
        super().__init__(f"etcd has compacted what was asked for; the oldest revision left is {revision or 'unknown'}")
        self.revision = revision


class NoSpace(EtcdError):
    """The cluster has reached its quota and takes no writes."""


class LeaseGone(EtcdError):
    """The lease has run out or was revoked, and the keys that hung on it with it."""
