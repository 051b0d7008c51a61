"""pybernetes flanneld --kube-subnet-mgr: leases in Nodes."""

import asyncio
from collections.abc import Mapping

from pybernetes.api.core.pod import Pod
from pybernetes.cli.flanneld_flags import Flags
from pybernetes.cli.flanneld_serve import options, serve
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.flannel_on_nodes import make_flannel


async def run(flags: Flags, environment: Mapping[str, str]) -> None:
    """Until cancelled."""
    client = connect(
        endpoint(flags.kubeconfig_file, flags.kube_api_url, flag="--kubeconfig-file"), "pybernetes-flanneld"
    )
    informers = Informers(client)
    try:
        flannel = make_flannel(options(flags, await node_of(client, environment)), client, informers)
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(serve(flags, flannel), name="flannel")
    finally:
        await client.close()


async def node_of(client: Client, environment: Mapping[str, str]) -> str:
    """Which Node this is. Raises ConfigError."""
    if environment.get("NODE_NAME"):
        return environment["NODE_NAME"]
    pod, namespace = environment.get("POD_NAME", ""), environment.get("POD_NAMESPACE", "")
    if not pod or not namespace:
        raise ConfigError("which Node is this? Set NODE_NAME, or POD_NAME and POD_NAMESPACE within a pod")
    found = await client.of(Pod).get(pod, namespace=namespace)
    if not found.spec.node_name:
        raise ConfigError(f"pod {namespace}/{pod} is on no node yet; set NODE_NAME")
    return found.spec.node_name
