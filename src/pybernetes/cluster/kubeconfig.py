"""Kubeconfig files: one per component, and the user's own, where our context is one among others.

The user's file is precious: it is parsed before it is touched, replaced atomically, and everything that
is not named after the cluster is written back as it was.
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
    """A kubeconfig with one cluster, user and context of this name; certificates are PEM, embedded."""
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
    """Write a kubeconfig for its owner only."""
    write_atomic(path, yaml.safe_dump(config, sort_keys=False), 0o600)


def user_path(environment: dict[str, str] | None = None) -> Path:
    """Where kubectl would write: the first file of $KUBECONFIG, else ~/.kube/config."""
    env = os.environ if environment is None else environment
    listed = [part for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return Path(listed[0])
    return Path(env.get("HOME") or os.path.expanduser("~")) / ".kube" / "config"


def merge(path: Path, config: dict[str, Any], *, switch: bool = True) -> None:
    """Put our entries into the user's file, in place of former ones of the same names.

    With `switch` our context becomes the current one. A symbolic link stays one: its target is replaced.
    """
    mine = read(path)
    for part in _LISTS:
        names = {entry["name"] for entry in config[part]}
        mine[part] = [entry for entry in _entries(mine, part) if entry.get("name") not in names] + config[part]
    if switch or not mine.get("current-context"):
        mine["current-context"] = config["current-context"]
    _save(path, mine)


def remove(path: Path, name: str) -> bool:
    """Take our entries of this name out again; the file goes if nothing of anybody's is left in it."""
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
    """Parse a kubeconfig; an absent or empty file is an empty one. ConfigError if it is something else."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read kubeconfig {path}: {error}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML, so it was left alone: {error}") from error
    if content is None:
        return {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a kubeconfig (a mapping was expected), so it was left alone")
    if content.get("kind", "Config") != "Config":
        raise ConfigError(
            f"{path} is a {content['kind']} and no kubeconfig, so it was left alone; have KUBECONFIG name another file"
        )
    for part in _LISTS:
        entries = content.get(part) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"{path}: {part!r} must be a list of mappings; the file was left alone")
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
    # Ours is a private key: never wider than the owner, even if the file was.
    write_atomic(target, yaml.safe_dump(config, sort_keys=False), mode & 0o700 or 0o600)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write_components(layout: Layout, pki: Pki, nodes: list[str]) -> None:
    """Write the kubeconfig of every component; those of nodes use the address that nodes reach."""
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
    """Where a component's kubeconfig lies; a node's kubelet is 'nodes/<node>'."""
    return layout.kubeconfigs / f"{name}.conf"
