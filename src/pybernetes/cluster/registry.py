"""The clusters of this machine: their slots, ports and the addresses of their nodes, in a file with a lock.

A cluster's slot determines its names and addresses in the host's namespace, so clusters cannot collide. Allocations
are kept until `down`, so a node has the same address after a stop and a start. The file is the only state that
clusters share.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pybernetes.cluster.errors import ConfigError, NoRoom
from pybernetes.cluster.files import locked, write_atomic
from pybernetes.cluster.layout import MAX_RACKS, RUN_ROOT, SLOTS, STATE_ROOT, Layout
from pybernetes.cluster.names import LINK_MARK, check_cluster_name, check_node_name

FIRST_API_PORT = 6443
_FIRST_HOST, _LAST_HOST = 2, 250


class NodeRecord(msgspec.Struct, frozen=True):
    """The place of a node. Rack and host part never change while the cluster exists."""

    name: str
    rack: int
    host: int
    """Host part of its addresses within the rack, 2..250."""


class ClusterRecord(msgspec.Struct):
    """The allocations of one cluster."""

    slot: int
    api_port: int
    racks: int = 1
    nodes: list[NodeRecord] = []


class RegistryFile(msgspec.Struct):
    """Content of clusters.json."""

    clusters: dict[str, ClusterRecord] = {}
    host_sysctls: dict[str, str] = {}
    """Values before the first cluster changed them; restored after the last cluster is gone."""
    made_netns_dir: bool = False
    """Whether we made /run/netns a mount point."""
    made_directories: list[str] = []
    """Directories that we created on the host, outside our own."""


class Registry:
    """clusters.json behind its lock."""

    def __init__(self, state_root: Path = STATE_ROOT, run_root: Path = RUN_ROOT) -> None:
        """Creates nothing before the first write."""
        self._state_root = state_root
        self._run_root = run_root
        self._path = state_root / "clusters.json"

    @property
    def lock_file(self) -> Path:
        """The file that `locked` locks."""
        return self._run_root / "clusters.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Block all other changes of the registry."""
        with locked(self.lock_file):
            yield

    def read(self) -> RegistryFile:
        """Read the file; a missing file is an empty registry."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RegistryFile)
        except FileNotFoundError:
            return RegistryFile()
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"{self._path} is damaged ({error}); restore it, or remove it after 'pybernetes down' of each cluster"
            ) from error

    @contextmanager
    def edit(self) -> Iterator[RegistryFile]:
        """Read the file, let the caller change it, and write it back, all under the lock."""
        with self.locked():
            file = self.read()
            yield file
            write_atomic(self._path, msgspec.json.format(msgspec.json.encode(file)), 0o644, durable=True)

    @contextmanager
    def exclusive(self, cluster: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Block other `up` and `down` of the same cluster. `waiting` is called once if this one has to wait.

        Removes the lock file if the cluster does not exist (any more).
        """
        path = lock_path(self._run_root, check_cluster_name(cluster))
        with locked(path, waiting):
            try:
                yield
            finally:
                if cluster not in self.read().clusters:
                    path.unlink(missing_ok=True)

    def layout(self, cluster: str) -> Layout | None:
        """The layout of a cluster in the registry, else None."""
        record = self.read().clusters.get(check_cluster_name(cluster))
        return None if record is None else self._layout(cluster, record)

    def nodes(self, cluster: str) -> list[NodeRecord]:
        """All nodes of a cluster; none if it is not in the registry."""
        record = self.read().clusters.get(check_cluster_name(cluster))
        return [] if record is None else list(record.nodes)

    def allocate(
        self,
        cluster: str,
        nodes: list[str],
        *,
        racks: int = 1,
        api_port: int | None = None,
        port_is_free: Callable[[int], bool] | None = None,
        slot_is_free: Callable[[int], bool] | None = None,
    ) -> tuple[Layout, list[NodeRecord]]:
        """Find or create the cluster's record and place these nodes; returns them in the given order."""
        check_cluster_name(cluster)
        for name in nodes:
            check_node_name(name)
        if len(set(nodes)) != len(nodes):
            raise ConfigError(f"node names must be unique: {', '.join(nodes)}")
        if not 1 <= racks <= MAX_RACKS:
            raise ConfigError(f"--racks {racks} is not possible; choose 1 to {MAX_RACKS}")
        with self.edit() as file:
            record = file.clusters.get(cluster)
            if record is None:
                # Clusters of another registry may be starting right now: look for a free place where it does not.
                first = 0 if self._state_root == STATE_ROOT else SLOTS // 2
                port = _choose_port(file, api_port, port_is_free or port_free, first)
                slot = _choose_slot(file, slot_is_free or slot_free, first)
                record = ClusterRecord(slot=slot, api_port=port, racks=racks)
                file.clusters[cluster] = record
            elif record.racks != racks:
                raise ConfigError(
                    f"cluster {cluster!r} was created with --racks {record.racks}; its nodes keep their addresses. "
                    f"Use --racks {record.racks}, or run 'pybernetes down --name {cluster}' first"
                )
            elif api_port is not None and record.api_port != api_port:
                raise ConfigError(f"cluster {cluster!r} has API port {record.api_port} and keeps it until 'down'")
            placed = place_nodes(record.nodes, nodes, racks)
            record.nodes = placed
            layout = self._layout(cluster, record)
        # Keys and the store (with every Secret) are in this directory: only root may read it.
        layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        by_name = {node.name: node for node in placed}
        return layout, [by_name[name] for name in nodes]

    def forget_nodes(self, cluster: str, names: set[str]) -> None:
        """Free the addresses of removed nodes."""
        with self.edit() as file:
            record = file.clusters[cluster]
            record.nodes = [node for node in record.nodes if node.name not in names]

    def release(self, cluster: str) -> RegistryFile:
        """Remove a cluster; returns the remaining content. Deletes the file with the last cluster."""
        with self.locked():
            file = self.read()
            file.clusters.pop(cluster, None)
            if file.clusters or file.host_sysctls or file.made_netns_dir or file.made_directories:
                data = msgspec.json.format(msgspec.json.encode(file))
                write_atomic(self._path, data, 0o644, durable=True)
            else:
                self._path.unlink(missing_ok=True)
        return file

    def forget_host(self) -> None:
        """Remove the recorded state of the host; delete the file unless it has clusters."""
        with self.edit() as file:
            file.host_sysctls, file.made_netns_dir, file.made_directories = {}, False, []
        self.release("")

    def _layout(self, cluster: str, record: ClusterRecord) -> Layout:
        return Layout(
            cluster,
            record.slot,
            state_root=self._state_root,
            run_root=self._run_root,
            api_port=record.api_port,
        )


def lock_path(run_root: Path, cluster: str) -> Path:
    """The lock file of `up` and `down` of a cluster; `down` deletes it."""
    return run_root / f".{cluster}.lock"


def place_nodes(known: list[NodeRecord], wanted: list[str], racks: int) -> list[NodeRecord]:
    """Keep known nodes in place; put new ones into the emptiest rack with the lowest free host part. Pure."""
    placed = list(known)
    names = {node.name for node in known}
    for name in wanted:
        if name in names:
            continue
        used = [{node.host for node in placed if node.rack == rack} for rack in range(racks)]
        rack = min(range(racks), key=lambda number: (len(used[number]), number))
        host = next((n for n in range(_FIRST_HOST, _LAST_HOST + 1) if n not in used[rack]), None)
        if host is None:
            raise NoRoom(f"no address left for node {name!r}: a rack has {_LAST_HOST - 1}; use more --racks")
        placed.append(NodeRecord(name, rack, host))
        names.add(name)
    return placed


def port_free(port: int) -> bool:
    """Whether this TCP port is free on all addresses of the host's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def slot_free(slot: int) -> bool:
    """Whether no link of that slot exists. A registry in another root directory may use the slot."""
    return not Path(f"/sys/class/net/{LINK_MARK}{slot}host").exists()


def _choose_slot(file: RegistryFile, is_free: Callable[[int], bool], first: int) -> int:
    used = {record.slot for record in file.clusters.values()}
    slots: tuple[int, ...] = (*range(first, SLOTS), *range(first))
    slot = next((number for number in slots if number not in used and is_free(number)), None)
    if slot is None:
        raise NoRoom(f"this machine already has {SLOTS} clusters; remove one with 'pybernetes down --name NAME'")
    return slot


def _choose_port(file: RegistryFile, asked: int | None, is_free: Callable[[int], bool], first: int) -> int:
    taken = {record.api_port: name for name, record in file.clusters.items()}
    if asked is not None:
        if not 1 <= asked <= 65535:
            raise ConfigError(f"--api-port {asked} is not a port; choose 1 to 65535")
        if asked in taken:
            raise ConfigError(f"port {asked} belongs to cluster {taken[asked]!r}; choose another --api-port")
        if not is_free(asked):
            raise ConfigError(
                f"port {asked} is in use; find the program with 'ss -ltnp sport = :{asked}', "
                "or choose another --api-port"
            )
        return asked
    for port in range(FIRST_API_PORT + first, FIRST_API_PORT + 100):
        if port not in taken and is_free(port):
            return port
    raise NoRoom(f"no free port from {FIRST_API_PORT} to {FIRST_API_PORT + 99}; choose one with --api-port")


def default_node_names(count: int) -> list[str]:
    """node-1 ... node-N."""
    if count < 1:
        raise ConfigError(f"--nodes {count} is not possible; a cluster has at least one node")
    return [f"node-{number}" for number in range(1, count + 1)]
