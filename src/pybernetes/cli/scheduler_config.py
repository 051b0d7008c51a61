"""`--config FILE` of the scheduler: a KubeSchedulerConfiguration."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pybernetes.cli.values import parse_duration
from pybernetes.cluster.errors import ConfigError
from pybernetes.scheduler.assembly import assemble_all
from pybernetes.scheduler.configuration import Configuration, ConfigurationError, decode
from pybernetes.scheduler.objects import FixedObjects
from pybernetes.scheduler.registry import IN_TREE

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

F = TypeVar("F", bound="DataclassInstance")
"""The dataclass of the scheduler's flags."""


def load(path: Path) -> Configuration:
    """The file's content, with everything checked that can be checked before the scheduler runs. Raises ConfigError."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"--config: cannot read {str(path)!r}: {error}") from error
    try:
        found = decode(document)
        assemble_all(found.profiles, IN_TREE, FixedObjects())
    except ConfigurationError as error:
        raise ConfigError(f"--config {path}: {error}") from error
    return found


def with_file(flags: F, found: Configuration) -> F:
    """The flags, with the file's values in place of defaults: a flag that was given wins over the file."""
    election = found.leader_election
    kubeconfig = found.client_connection.kubeconfig
    in_file: dict[str, Any] = {
        "kubeconfig": Path(kubeconfig) if kubeconfig else None,
        "leader_elect": election.leader_elect,
        "leader_elect_lease_duration": _seconds("leaseDuration", election.lease_duration),
        "leader_elect_renew_deadline": _seconds("renewDeadline", election.renew_deadline),
        "leader_elect_retry_period": _seconds("retryPeriod", election.retry_period),
        "leader_elect_resource_name": election.resource_name,
        "leader_elect_resource_namespace": election.resource_namespace,
    }
    given, defaults = dataclasses.asdict(flags), dataclasses.asdict(type(flags)())
    changes: dict[str, Any] = {
        name: value for name, value in in_file.items() if value is not None and given[name] == defaults[name]
    }
    return dataclasses.replace(flags, **changes)


def _seconds(field: str, duration: str | None) -> float | None:
    if not duration:
        return None
    try:
        return parse_duration(duration)
    except ValueError:
        raise ConfigError(f"--config: leaderElection.{field}: {duration!r} is not a duration such as 15s") from None
