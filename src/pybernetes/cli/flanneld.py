"""pybernetes flanneld: the pod network alone, with the flags and variables of flanneld."""

import os

import click

from pybernetes.cli.flags import component
from pybernetes.cli.flanneld_flags import Flags
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.version import VERSION


def run(flags: Flags, level: str) -> None:
    """Run the pod network of this node alone; other nodes can run this or Go flanneld.

    Flags are those of Go flanneld; environment variables set them, too: FLANNELD_IP_MASQ is --ip-masq. The node's name
    is NODE_NAME, or that of the node of the pod POD_NAME in POD_NAMESPACE.
    """
    # Import only the selected one: each imports an HTTP or gRPC client.
    if flags.kube_subnet_mgr:
        from pybernetes.cli import flanneld_kube

        run_until_signal(flanneld_kube.run(flags, os.environ), level)
    else:
        from pybernetes.cli import flanneld_etcd

        run_until_signal(flanneld_etcd.run(flags), level)


command = component("flanneld", Flags, run, env="FLANNELD")
# Not from the environment: installers use FLANNELD_VERSION for the version to install.
_version = click.version_option(VERSION, prog_name="pybernetes flanneld", allow_from_autoenv=False)
command = _version(command)
