"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): the profiles as kube-scheduler's file describes them.

Names, defaults and error texts are those of kube-scheduler.
"""

import re
from typing import Any

import msgspec

from pybernetes.api.field import Errors, Path
from pybernetes.api.wellknown import DEFAULT_SCHEDULER

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"


class ConfigurationError(Exception):
    """The configuration cannot be used; the message says which field and why."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of the structs of the file."""


class PluginRef(_Part, frozen=True, kw_only=True):
    """A plugin named at an extension point."""

    name: str
    weight: int | None = None
    """Only for scores; 0 and None stand for 1."""


class PluginSet(_Part, frozen=True, kw_only=True):
    """What changes at one extension point."""

    enabled: tuple[PluginRef, ...] = ()
    """Called after the default plugins; a default plugin named here keeps its place and takes this weight."""
    disabled: tuple[PluginRef, ...] = ()
    """Default plugins to leave out; `*` stands for all."""


class Plugins(_Part, frozen=True, kw_only=True):
    """One set per extension point; `multi_point` stands for every point that a plugin takes part in."""

    multi_point: PluginSet = PluginSet()
    pre_enqueue: PluginSet = PluginSet()
    queue_sort: PluginSet = PluginSet()
    pre_filter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    post_filter: PluginSet = PluginSet()
    pre_score: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    pre_bind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    post_bind: PluginSet = PluginSet()

    def by_point(self) -> dict[str, PluginSet]:
        """The sets of single extension points under their names in the file."""
        return {
            "preEnqueue": self.pre_enqueue,
            "queueSort": self.queue_sort,
            "preFilter": self.pre_filter,
            "filter": self.filter,
            "postFilter": self.post_filter,
            "preScore": self.pre_score,
            "score": self.score,
            "reserve": self.reserve,
            "permit": self.permit,
            "preBind": self.pre_bind,
            "bind": self.bind,
            "postBind": self.post_bind,
        }


class PluginConfig(_Part, frozen=True, kw_only=True):
    """The arguments of one plugin."""

    name: str
    args: dict[str, Any] = {}


class ProfileConfig(_Part, frozen=True, kw_only=True):
    """One profile, as changes of the default one."""

    scheduler_name: str = ""
    """The spec.schedulerName of its pods; default-scheduler for a single profile."""
    percentage_of_nodes_to_score: int | None = None
    """Accepted and ignored: every node is scored."""
    plugins: Plugins = Plugins()
    plugin_config: tuple[PluginConfig, ...] = ()


DEFAULT_PROFILE = ProfileConfig(scheduler_name=DEFAULT_SCHEDULER)


class ClientConnection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How to reach the API server."""

    kubeconfig: str = ""


class LeaderElection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Leader election; None where the file leaves the default."""

    leader_elect: bool | None = None
    lease_duration: str | None = None
    renew_deadline: str | None = None
    retry_period: str | None = None
    resource_name: str | None = None
    resource_namespace: str | None = None
    resource_lock: str = "leases"


class Configuration(_Part, frozen=True, kw_only=True):
    """The file."""

    api_version: str = API_VERSION
    kind: str = KIND
    profiles: tuple[ProfileConfig, ...] = ()
    parallelism: int = 16
    """Accepted and ignored: nodes are scored as arrays."""
    percentage_of_nodes_to_score: int | None = None
    """Accepted and ignored: every node is scored."""
    pod_initial_backoff_seconds: int = 1
    pod_max_backoff_seconds: int = 10
    client_connection: ClientConnection = ClientConnection()
    leader_election: LeaderElection = LeaderElection()
    enable_profiling: bool | None = None
    enable_contention_profiling: bool | None = None
    delay_cache_until_active: bool | None = None
    extenders: tuple[dict[str, Any], ...] = ()


def decode(document: object) -> Configuration:
    """The configuration in a parsed YAML or JSON document, validated. Raises ConfigurationError."""
    if not isinstance(document, dict) or not document.get("apiVersion") or not document.get("kind"):
        raise ConfigurationError("couldn't get version/kind: apiVersion and kind must be set")
    version, kind = document["apiVersion"], document["kind"]
    if (version, kind) != (API_VERSION, KIND):
        raise ConfigurationError(f'no kind "{kind}" is registered for version "{version}" in scheme "scheduler"')
    try:
        found = msgspec.convert(document, Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(strict_error(error)) from error
    if not found.profiles:
        found = msgspec.structs.replace(found, profiles=(DEFAULT_PROFILE,))
    elif len(found.profiles) == 1 and not found.profiles[0].scheduler_name:
        named = msgspec.structs.replace(found.profiles[0], scheduler_name=DEFAULT_SCHEDULER)
        found = msgspec.structs.replace(found, profiles=(named,))
    errors = Errors()
    _validate(found, errors)
    if errors:
        raise ConfigurationError("; ".join(str(error) for error in errors.items))
    return found


def strict_error(error: msgspec.ValidationError, prefix: str = "") -> str:
    """The text of kube-scheduler's strict decoder for an unknown field; any other error in msgspec's words."""
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", str(error))
    if unknown is None:
        return f"{prefix}: {error}" if prefix else str(error)
    path = ".".join(part for part in (prefix, unknown[2], unknown[1]) if part)
    return f'strict decoding error: unknown field "{path}"'


def _validate(found: Configuration, errors: Errors) -> None:
    if found.leader_election.resource_lock != "leases":
        place = Path("leaderElection") / "resourceLock"
        errors.invalid(place, found.leader_election.resource_lock, 'resourceLock value must be "leases"')
    if found.parallelism <= 0:
        errors.invalid(Path("parallelism"), found.parallelism, "should be an integer value greater than zero")
    seen: dict[str, Path] = {}
    for index, profile in enumerate(found.profiles):
        path = Path("profiles") @ index
        _validate_profile(profile, path, errors)
        name = path / "schedulerName"
        if profile.scheduler_name in seen:
            errors.duplicate(name, str(seen[profile.scheduler_name]))
        seen[profile.scheduler_name] = name
    _validate_queue_sort(found.profiles, errors)
    _validate_percentage(found.percentage_of_nodes_to_score, Path("percentageOfNodesToScore"), errors)
    initial, longest = found.pod_initial_backoff_seconds, found.pod_max_backoff_seconds
    if initial <= 0:
        errors.invalid(Path("podInitialBackoffSeconds"), initial, "must be greater than 0")
    if longest < initial:
        text = "must be greater than or equal to PodInitialBackoffSeconds"
        errors.invalid(Path("podMaxBackoffSeconds"), longest, text)
    if found.extenders:
        errors.forbidden(Path("extenders"), "extenders are not supported")


def _validate_profile(profile: ProfileConfig, path: Path, errors: Errors) -> None:
    if not profile.scheduler_name:
        errors.required(path / "schedulerName")
    _validate_percentage(profile.percentage_of_nodes_to_score, path / "percentageOfNodesToScore", errors)
    seen: set[str] = set()
    for index, config in enumerate(profile.plugin_config):
        if config.name in seen:
            errors.duplicate(path / "pluginConfig" @ index, config.name)
        seen.add(config.name)


def _validate_percentage(percentage: int | None, path: Path, errors: Errors) -> None:
    if percentage is not None and not 0 <= percentage <= 100:
        errors.invalid(path, percentage, "not in valid range [0-100]")


def _validate_queue_sort(profiles: tuple[ProfileConfig, ...], errors: Errors) -> None:
    """All profiles share one queue, so they must sort it alike."""
    first = profiles[0].plugins.queue_sort
    if len(first.enabled) > 1:
        place = Path("profiles") @ 0 / "plugins" / "queueSort" / "Enabled"
        errors.invalid(place, len(first.enabled), "only one queue sort plugin can be enabled")
    for index, profile in enumerate(profiles[1:], start=1):
        if profile.plugins.queue_sort != first:
            place = Path("profiles") @ index / "plugins" / "queueSort"
            errors.invalid(place, profile.plugins.queue_sort, "must be the same for all profiles")
