"""pybernetes flanneld: the pod network alone, with the flags and variables of flanneld."""

import os

import click

from pybernetes.cli.flags import component
from pybernetes.cli.flanneld_flags import Flags
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.version import VERSION


def run(flags: Flags, level: str) -> None:
    """Run the pod network of this node alone, beside other flanneld of any kind.

    Flags are those of flanneld; each can also be a variable: --ip-masq is FLANNELD_IP_MASQ. The node's name is in
    NODE_NAME, or found through the pod in POD_NAME and POD_NAMESPACE.
    """
    # Only the one of the two that is asked for is loaded: each brings an HTTP or gRPC client along.
    if flags.kube_subnet_mgr:
        from pybernetes.cli import flanneld_kube

        run_until_signal(flanneld_kube.run(flags, os.environ), level)
    else:
        from pybernetes.cli import flanneld_etcd

        run_until_signal(flanneld_etcd.run(flags), level)


command = component("flanneld", Flags, run, env="FLANNELD")
# Not from the environment: there FLANNELD_VERSION often is the version that an installer is to take.
_version = click.version_option(VERSION, prog_name="pybernetes flanneld", allow_from_autoenv=False)
command = _version(command)
