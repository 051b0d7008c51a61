"""pybernetes flanneld without Kubernetes: leases in etcd."""

from pybernetes.cli.flanneld_flags import Flags
from pybernetes.cli.flanneld_serve import options, serve
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.flannel_part import flannel_with
from pybernetes.etcd import BadEndpoint, Credentials, EtcdClient, EtcdTls
from pybernetes.flannel.leases.etcd.manager import EtcdManager
from pybernetes.flannel.subnet_file import previous_subnets

_ETCD_SECONDS = 5.0


async def run(flags: Flags) -> None:
    """Until cancelled."""
    client = _client(flags)
    settings = options(flags, "")
    manager = EtcdManager(
        client,
        prefix=flags.etcd_prefix,
        previous=previous_subnets(settings.subnet_file),
        margin_seconds=60.0 * flags.subnet_lease_renew_margin,
    )
    try:
        await serve(flags, flannel_with(settings, manager))
    finally:
        await client.close()


def _client(flags: Flags) -> EtcdClient:
    """Raises ConfigError that names the flag."""
    if bool(flags.etcd_certfile) != bool(flags.etcd_keyfile):
        raise ConfigError("--etcd-certfile and --etcd-keyfile need each other")
    tls = EtcdTls(flags.etcd_cafile, flags.etcd_certfile, flags.etcd_keyfile)
    credentials = Credentials(flags.etcd_username, flags.etcd_password) if flags.etcd_username else None
    try:
        return EtcdClient(flags.etcd_endpoints, tls, _ETCD_SECONDS, credentials)
    except BadEndpoint as error:
        raise ConfigError(f"--etcd-endpoints: {error}") from error
