"""Kubeconfig files: one per component, and the user's own, to which a cluster's context is added.

The user's file is parsed before it is changed and replaced atomically. Entries that are not named after the cluster
are written back unchanged.
"""

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pki import Pki

_LISTS = ("clusters", "contexts", "users")


def kubeconfig(
    name: str, server: str, *, ca: bytes, certificate: bytes, key: bytes, user: str | None = None
) -> dict[str, Any]:
    """A kubeconfig with one cluster, user and context of this name, and embedded certificates (PEM)."""
    user = user or name
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [
            {"name": name, "cluster": {"certificate-authority-data": _b64(ca), "server": server}},
        ],
        "users": [
            {"name": user, "user": {"client-certificate-data": _b64(certificate), "client-key-data": _b64(key)}},
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }


def write(path: Path, config: dict[str, Any]) -> None:
    """Write a kubeconfig that only its owner can read."""
    write_atomic(path, yaml.safe_dump(config, sort_keys=False), 0o600)


def user_path(environment: dict[str, str] | None = None) -> Path:
    """The file that kubectl writes: the first of $KUBECONFIG, else ~/.kube/config."""
    env = os.environ if environment is None else environment
    listed = [part for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return Path(listed[0])
    return Path(env.get("HOME") or os.path.expanduser("~")) / ".kube" / "config"


def merge(path: Path, config: dict[str, Any], *, switch: bool = True) -> None:
    """Add the entries to the user's file, replacing those of the same names.

    With `switch`, the context becomes the current one. If the file is a symbolic link, its target is replaced.
    """
    mine = read(path)
    for part in _LISTS:
        names = {entry["name"] for entry in config[part]}
        mine[part] = [entry for entry in _entries(mine, part) if entry.get("name") not in names] + config[part]
    if switch or not mine.get("current-context"):
        mine["current-context"] = config["current-context"]
    _save(path, mine)


def remove(path: Path, name: str) -> bool:
    """Remove the entries of this name; delete the file if nothing else is in it."""
    if not path.exists():
        return False
    mine = read(path)
    before = sum(len(_entries(mine, part)) for part in _LISTS)
    for part in _LISTS:
        mine[part] = [entry for entry in _entries(mine, part) if entry.get("name") != name]
    after = sum(len(mine[part]) for part in _LISTS)
    if mine.get("current-context") == name:
        mine["current-context"] = ""
    elif before == after:
        return False
    if after == 0 and not _has_more(mine):
        path.resolve().unlink()
    else:
        _save(path, mine)
    return True


def read(path: Path) -> dict[str, Any]:
    """Parse a kubeconfig; a missing or empty file is an empty one. Raises ConfigError for anything else."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read kubeconfig {path}: {error}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML, so it was not changed: {error}") from error
    if content is None:
        return {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a kubeconfig (expected a mapping), so it was not changed")
    if content.get("kind", "Config") != "Config":
        raise ConfigError(
            f"{path} is a {content['kind']}, not a kubeconfig, so it was not changed; set KUBECONFIG to another file"
        )
    for part in _LISTS:
        entries = content.get(part) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"{path}: {part!r} must be a list of mappings; the file was not changed")
    return content


def _entries(config: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return list(config.get(part) or [])


def _has_more(config: dict[str, Any]) -> bool:
    ours = {"apiVersion", "kind", "preferences", "current-context", *_LISTS}
    return bool(config.get("preferences") or config.get("current-context")) or bool(set(config) - ours)


def _save(path: Path, config: dict[str, Any]) -> None:
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o600
    # It holds a private key: only its owner may read it, even if the previous file was readable by others.
    write_atomic(target, yaml.safe_dump(config, sort_keys=False), mode & 0o700 or 0o600)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write_components(layout: Layout, pki: Pki, nodes: list[str]) -> None:
    """Write the kubeconfig of every component. Those of nodes use the address at which nodes reach the host."""
    host, inside = layout.api_url_for_host, layout.api_url_for_nodes
    ca = pki.ca_certificate.read_bytes()
    plan = [("admin", host), ("super-admin", host), ("controller-manager", host), ("scheduler", host)]
    plan += [("kube-proxy", inside), ("flannel", inside)]
    plan += [(f"nodes/{node}", inside) for node in nodes]
    for name, server in plan:
        pair = pki.pair(name)
        config = kubeconfig(
            layout.context, server, ca=ca, certificate=pair.certificate.read_bytes(), key=pair.key.read_bytes()
        )
        write(component_path(layout, name), config)


def component_path(layout: Layout, name: str) -> Path:
    """The path of a component's kubeconfig; a node's kubelet is 'nodes/<node>'."""
    return layout.kubeconfigs / f"{name}.conf"
