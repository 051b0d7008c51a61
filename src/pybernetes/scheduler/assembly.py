"""Makes profiles from their configuration and the registry, by kube-scheduler's rules and with its error texts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.configuration import (
    DEFAULT_PROFILE,
    ConfigurationError,
    PluginRef,
    PluginSet,
    ProfileConfig,
    strict_error,
)
from pybernetes.scheduler.handle import NamedFilter
from pybernetes.scheduler.objects import FixedObjects, Objects
from pybernetes.scheduler.plugin import POINTS, Plugin
from pybernetes.scheduler.profile import Profile, WeightedScore
from pybernetes.scheduler.registry import IN_TREE, Entry
from pybernetes.scheduler.types import MAX_SCORE

_ALL = "*"
_MAX_TOTAL = 2**63 - 1


def default_profile(objects: Objects | None = None) -> Profile:
    """kube-scheduler's default profile."""
    return assemble(DEFAULT_PROFILE, IN_TREE, objects or FixedObjects())


def assemble_all(configs: Iterable[ProfileConfig], registry: Iterable[Entry], objects: Objects) -> dict[str, Profile]:
    """The profiles by scheduler name. Raises ConfigurationError."""
    profiles: dict[str, Profile] = {}
    entries = tuple(registry)
    for config in configs:
        name = config.scheduler_name
        if name in profiles:
            raise ConfigurationError(f'duplicate profile with scheduler name "{name}"')
        try:
            profiles[name] = assemble(config, entries, objects)
        except ConfigurationError as error:
            raise ConfigurationError(f"creating profile for scheduler name {name}: {error}") from error
    return profiles


def assemble(config: ProfileConfig, registry: Iterable[Entry], objects: Objects) -> Profile:
    """One profile. Raises ConfigurationError."""
    entries = {entry.name: entry for entry in registry}
    multi_point = _merged(
        [PluginRef(name=e.name, weight=e.weight) for e in entries.values() if e.default], config.plugins.multi_point
    )
    sets = config.plugins.by_point()
    needed = {ref.name for refs in (multi_point, *(s.enabled for s in sets.values())) for ref in refs}
    plugins = _instantiate(config, needed, entries, objects)
    named = {point: _named_at(point, own, plugins) for point, own in sets.items()}
    try:
        ordered = {p: _expanded(p, named[p], own.disabled, multi_point, plugins) for p, own in sets.items()}
    except ConfigurationError as error:
        raise ConfigurationError(f"expanding multipoint plugins: {error}") from error
    return _profile(config.scheduler_name, ordered, plugins, _weights(sets["score"].enabled, multi_point, plugins))


def _merged(defaults: list[PluginRef], custom: PluginSet) -> tuple[PluginRef, ...]:
    """The default plugins with a custom set applied: those named again keep their place, others follow."""
    disabled = {ref.name for ref in custom.disabled}
    replacing = {ref.name: ref for ref in custom.enabled}
    kept = [] if _ALL in disabled else [replacing.get(r.name, r) for r in defaults if r.name not in disabled]
    added = [ref for ref in custom.enabled if not any(ref is other for other in kept)]
    return (*kept, *added)


def _instantiate(
    config: ProfileConfig, needed: set[str], entries: Mapping[str, Entry], objects: Objects
) -> dict[str, Plugin]:
    args = {given.name: (index, given.args) for index, given in enumerate(config.plugin_config)}
    plugins = {}
    for name, entry in entries.items():
        if name in needed:
            index, given = args.get(name, (0, {}))
            path = Path("pluginConfig") @ index / "args"
            plugins[name] = entry.make(decode_args(entry, given, path), objects)
    return plugins


def decode_args(entry: Entry, given: dict[str, Any], path: Path) -> Args:
    """The validated arguments of a plugin. Raises ConfigurationError."""
    kind = given.get("kind", "")
    if kind and kind != f"{entry.name}Args":
        wanted = f"{entry.name}Args.kubescheduler.config.k8s.io"
        raise ConfigurationError(f"args for plugin {entry.name} were not of type {wanted}, got {kind}")
    try:
        args = msgspec.convert(given, entry.args)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"decoding args for plugin {entry.name}: {strict_error(error)}") from error
    errors = Errors()
    args.validate(path, errors)
    if errors:
        text = "; ".join(str(error) for error in errors.items)
        raise ConfigurationError(f'initializing plugin "{entry.name}": {text}')
    return args


def _expanded(
    point: str,
    named: tuple[str, ...],
    disabled: tuple[PluginRef, ...],
    multi_point: tuple[PluginRef, ...],
    plugins: Mapping[str, Plugin],
) -> tuple[str, ...]:
    """The names of the plugins at a point, in order: those that it names itself, and those of multiPoint.

    First the plugins of multiPoint that the point names, in the point's order; then the rest of multiPoint; then the
    rest that the point names.
    """
    left_out = {ref.name for ref in disabled}
    if _ALL in left_out:
        return named
    expanded: list[str] = []
    overriding: set[str] = set()
    for ref in multi_point:
        if not _known("preFilter", ref.name, plugins).extends(point) or ref.name in left_out:
            continue
        if ref.name in named:
            overriding.add(ref.name)
        elif ref.name in expanded:
            raise ConfigurationError(f'plugin "{ref.name}" already registered as "{_type_name(point)}"')
        else:
            expanded.append(ref.name)
    first = [name for name in named if name in overriding]
    return (*first, *expanded, *(name for name in named if name not in overriding))


def _named_at(point: str, own: PluginSet, plugins: Mapping[str, Plugin]) -> tuple[str, ...]:
    names: list[str] = []
    for ref in own.enabled:
        if not _known(point, ref.name, plugins).extends(point):
            raise ConfigurationError(f'plugin "{ref.name}" does not extend {_type_name(point)} plugin')
        if ref.name in names:
            raise ConfigurationError(f'plugin "{ref.name}" already registered as "{_type_name(point)}"')
        names.append(ref.name)
    return tuple(names)


def _known(point: str, name: str, plugins: Mapping[str, Plugin]) -> Plugin:
    found = plugins.get(name)
    if found is None:
        raise ConfigurationError(f'{_type_name(point)} "{name}" does not exist')
    return found


def _type_name(point: str) -> str:
    return f"{point[0].upper()}{point[1:]}Plugin"


def _weights(
    scores: tuple[PluginRef, ...], multi_point: tuple[PluginRef, ...], plugins: Mapping[str, Plugin]
) -> dict[str, int]:
    """What each score counts for: as the score point says, else as multiPoint says, else 1."""
    weights: dict[str, int] = {}
    total = 0
    for ref in (*scores, *multi_point):
        if plugins[ref.name].score is None or ref.name in weights:
            continue
        weight = weights[ref.name] = ref.weight or 1
        total += weight * MAX_SCORE
        if total > _MAX_TOTAL:
            raise ConfigurationError("total score of Score plugins could overflow")
    return weights


@dataclass(frozen=True, slots=True)
class _Assembled:
    ordered: Mapping[str, tuple[str, ...]]
    plugins: Mapping[str, Plugin]

    def at(self, point: str) -> Iterable[tuple[str, Any]]:
        """(name, implementation) of the plugins that do something at a point."""
        for name in self.ordered[point]:
            part = POINTS[point](self.plugins[name])
            if part is not None:
                yield name, part


def _profile(
    scheduler_name: str, ordered: Mapping[str, tuple[str, ...]], plugins: Mapping[str, Plugin], weights: dict[str, int]
) -> Profile:
    at = _Assembled(ordered, plugins).at
    sorts = [sort for _, sort in at("queueSort")]
    if len(sorts) != 1:
        text = f'only one queue sort plugin required for profile with scheduler name "{scheduler_name}"'
        raise ConfigurationError(f"{text}, but got {len(sorts)}")
    if not ordered["bind"]:
        text = f'at least one bind plugin is needed for profile with scheduler name "{scheduler_name}"'
        raise ConfigurationError(text)
    return Profile(
        scheduler_name=scheduler_name,
        queue_sort=sorts[0],
        pre_enqueues=tuple(at("preEnqueue")),
        pre_filters=tuple(at("preFilter")),
        filters=tuple(NamedFilter(name, part) for name, part in at("filter")),
        post_filters=tuple(at("postFilter")),
        scores=tuple(WeightedScore(name, part, weights[name]) for name, part in at("score")),
        reserves=tuple(at("reserve")),
        permits=tuple(at("permit")),
        pre_binds=tuple(at("preBind")),
        binds=tuple(at("bind")),
        interests={name: plugin.interests for name, plugin in plugins.items()},
        traits={name: plugin.traits for name, plugin in plugins.items() if plugin.traits is not None},
    )
