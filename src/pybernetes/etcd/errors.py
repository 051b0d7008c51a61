"""The exceptions of the etcd client: one class per decision of the caller."""


class EtcdError(Exception):
    """etcd refused the call; the message has the member and the reason."""


class BadEndpoint(EtcdError):
    """The addresses or the TLS files cannot be used; no request was sent."""


class Unavailable(EtcdError):
    """No answer. A write may or may not have happened."""


class Compacted(EtcdError):
    """The requested history is gone; `revision` is the oldest available, 0 if etcd does not report it. List again."""

    def __init__(self, revision: int = 0) -> None:
        super().__init__(f"etcd has compacted what was asked for; the oldest revision left is {revision or 'unknown'}")
        self.revision = revision


class NoSpace(EtcdError):
    """The cluster has reached its quota and accepts no writes."""


class LeaseGone(EtcdError):
    """The lease has expired or was revoked, and its keys are deleted."""
