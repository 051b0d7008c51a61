"""Static pods, from manifests on this node's disk, and their mirror pods in the API server.

A static pod runs even without an API server. Its name ends in the node's name. Its uid is a digest of the manifest,
so that a changed manifest makes a new pod.
"""

import asyncio
import hashlib
import logging
from pathlib import Path

import msgspec
import yaml

from pybernetes.api.core.affinity import Toleration
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.api.wellknown import ANNOTATION_MIRROR_POD
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, ApiError, NotFound, Unreachable
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.names import CONFIG_HASH, CONFIG_SEEN, CONFIG_SOURCE
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.linux.inotify import CLOSE_WRITE, CREATE, DELETE, MOVED_FROM, MOVED_TO, Watcher

log = logging.getLogger(__name__)

_RESYNC = 20.0


class ManifestError(Exception):
    """A manifest is not a valid pod."""


class StaticPods:
    """Runs the pods of a directory of manifests."""

    def __init__(self, config: KubeletConfig, client: Client, pods: PodManager, registry: PodRegistry) -> None:
        assert config.static_pod_path is not None
        self._directory: Path = config.static_pod_path
        self._node_name = config.node_name
        self._client = client.of(Pod)
        self._nodes = client.of(Node)
        self._pods = pods
        self._registry = registry
        self._known: dict[str, Pod] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        self._directory.mkdir(parents=True, exist_ok=True)
        watcher = Watcher()
        self._pods.on_mirror = watcher.poke
        try:
            watcher.add(self._directory, CLOSE_WRITE | CREATE | DELETE | MOVED_FROM | MOVED_TO)
            while True:
                self._apply(await asyncio.to_thread(self._read))
                self.synced.set()
                complete = await self._mirror_all()
                await watcher.wait(_RESYNC if complete else 1.0)
        finally:
            self._pods.on_mirror = None
            watcher.close()

    def _read(self) -> dict[str, Pod]:
        """uid -> pod, for every valid manifest."""
        found: dict[str, Pod] = {}
        for path in sorted(self._directory.iterdir()):
            if path.suffix not in (".yaml", ".yml", ".json") or path.name.startswith("."):
                continue
            try:
                pod = manifest_pod(path.read_bytes(), self._node_name)
            except (ManifestError, OSError) as error:
                log.warning("static pod %s: %s", path, error)
                continue
            found[pod.metadata.uid] = pod
        return found

    def _apply(self, found: dict[str, Pod]) -> None:
        for uid, pod in self._known.items():
            if uid not in found:
                self._pods.remove(pod)
        for uid, pod in found.items():
            if uid not in self._known:
                self._pods.put(pod)
        self._known = found

    async def _mirror_all(self) -> bool:
        """Create and delete mirror pods so that they match the static pods; returns whether they do."""
        wanted = {f"{p.metadata.namespace}/{p.metadata.name}": p for p in self._known.values()}
        complete = True
        for key, mirror in list(self._registry.mirrors.items()):
            pod = wanted.get(key)
            if pod is None or mirror.metadata.annotations.get(ANNOTATION_MIRROR_POD) != pod.metadata.uid:
                complete = await self._delete(mirror) and complete
        for key, pod in wanted.items():
            if key not in self._registry.mirrors:
                complete = await self._create(pod) and complete
        return complete

    async def _create(self, pod: Pod) -> bool:
        meta = pod.metadata
        mirror = msgspec.structs.replace(
            pod,
            metadata=ObjectMeta(
                name=meta.name,
                namespace=meta.namespace,
                labels=meta.labels,
                annotations={**meta.annotations, ANNOTATION_MIRROR_POD: meta.uid},
            ),
        )
        try:
            # The mirror pod's owner is the Node. If that did not exist, the garbage collector would delete the mirror.
            node = await self._nodes.get(self._node_name)
            owner = OwnerReference(
                api_version="v1", kind="Node", name=self._node_name, uid=node.metadata.uid, controller=True
            )
            mirror.metadata.owner_references = [owner]
            await self._client.create(mirror)
        except AlreadyExists:
            return False
        except (ApiError, Unreachable) as error:
            log.debug("mirror pod %s/%s: %s", meta.namespace, meta.name, error)
            return False
        return True

    async def _delete(self, mirror: Pod) -> bool:
        meta = mirror.metadata
        try:
            await self._client.delete(meta.name, namespace=meta.namespace, grace_period_seconds=0, uid=meta.uid)
        except NotFound:
            return True
        except (ApiError, Unreachable) as error:
            log.debug("mirror pod %s/%s: %s", meta.namespace, meta.name, error)
        return False


def manifest_pod(data: bytes, node_name: str) -> Pod:
    """Parse a manifest, YAML or JSON; raises ManifestError. Pure."""
    try:
        raw = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        pod = msgspec.convert(raw, Pod)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ManifestError(f"not a pod: {error}") from error
    if pod.kind != "Pod" or pod.api_version != "v1" or not pod.metadata.name:
        raise ManifestError(f"expected a v1 Pod with a name, found {pod.api_version} {pod.kind} {pod.metadata.name!r}")
    if not pod.spec.containers or any(not c.name or not c.image for c in pod.spec.containers):
        raise ManifestError("each of spec.containers needs a name and an image")
    digest = hashlib.md5(data + b"\0" + node_name.encode(), usedforsecurity=False).hexdigest()
    meta = pod.metadata
    annotations = {**meta.annotations, CONFIG_HASH: digest, CONFIG_SOURCE: "file", CONFIG_SEEN: ""}
    spec = msgspec.structs.replace(
        pod.spec,
        node_name=node_name,
        restart_policy=pod.spec.restart_policy or "Always",
        dns_policy=pod.spec.dns_policy or "ClusterFirst",
        # Taints must not evict a static pod: no controller would recreate it.
        tolerations=[*pod.spec.tolerations, Toleration(operator="Exists", effect="NoExecute")],
    )
    return msgspec.structs.replace(
        pod,
        metadata=msgspec.structs.replace(
            meta,
            name=f"{meta.name}-{node_name}",
            namespace=meta.namespace or "default",
            uid=meta.uid or digest,
            annotations=annotations,
        ),
        spec=spec,
    )
