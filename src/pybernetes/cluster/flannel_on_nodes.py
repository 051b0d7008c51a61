"""Assemble flanneld with its leases in Node objects."""

import os

from pybernetes.api.core.node import Node
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.flannel_part import flannel_with
from pybernetes.flannel.api_facts import ApiFacts
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.leases.kube.manager import KubeManager
from pybernetes.flannel.options import FlannelOptions


def make_flannel(options: FlannelOptions, client: Client, informers: Informers) -> Flanneld:
    """flanneld for the network namespace of this process, with its leases in Node objects."""
    manager = KubeManager(
        client,
        informers.of(Node),
        node_name=options.node_name,
        net_conf=options.net_conf,
        set_condition=options.set_condition,
        prefix=options.annotation_prefix,
    )
    return flannel_with(options, manager, ApiFacts(client, os.environ))
