"""Names of clusters and nodes, and the mark that all of their objects carry.

Kernel objects are found by their name alone: after a kill -9, after the loss of a state file, by hand. Names of links
have at most 15 characters, so they contain the cluster's slot number (`pyb3...`); all others contain the full cluster
name (`pybernetes-<cluster>...`).
"""

import re

from pybernetes.cluster.errors import InvalidName

MARK = "pybernetes"
LINK_MARK = "pyb"
MAX_LINK_NAME = 15

DEFAULT_CLUSTER = "default"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# The longest socket path, /run/pybernetes/<cluster>/nodes/<node>/containerd.sock.ttrpc, must fit into the 108 bytes
# of sockaddr_un.
_MAX_CLUSTER_NAME = 24
_MAX_NODE_NAME = 32


def check_cluster_name(name: str) -> str:
    """Return the name if it is a DNS label of at most 24 characters, else raise InvalidName."""
    return _check("cluster", name, _MAX_CLUSTER_NAME)


def check_node_name(name: str) -> str:
    """Return the name if it is a DNS label (RFC 1123) of at most 32 characters, else raise InvalidName."""
    if name == "router":
        raise InvalidName("node name 'router' is reserved for the namespace that connects the racks; choose another")
    return _check("node", name, _MAX_NODE_NAME)


def _check(what: str, name: str, longest: int) -> str:
    if len(name) > longest:
        raise InvalidName(f"{what} name {name!r} has {len(name)} characters; at most {longest} are allowed")
    if not _LABEL.fullmatch(name):
        raise InvalidName(
            f"{what} name {name!r} must consist of lower-case letters, digits and '-', "
            "and begin and end with a letter or digit (for example 'dev-1')"
        )
    return name
