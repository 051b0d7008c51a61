"""Whether an event may help a pod: asks the plugins that refused it."""

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.scheduler.events import Action, Event
from pybernetes.scheduler.points import Scope
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template


def helps(snapshot: Snapshot, profile: Profile, template: Template, plugins: tuple[str, ...], event: Event) -> bool:
    """Whether a pod that these plugins refused should be scheduled again.

    A pod that no plugin refused found no nodes at all: it waits for one.
    """
    if not plugins:
        return event.kind is Node and event.action is Action.ADD
    return any(_helps(snapshot, profile, template, name, event) for name in plugins)


def _helps(snapshot: Snapshot, profile: Profile, template: Template, name: str, event: Event) -> bool:
    for interest in profile.interests.get(name, ()):
        if interest.covers(event):
            if interest.hint is not None:
                return interest.hint(snapshot, template, event)
            return event.row is None or _passes(snapshot, profile, template, name, event.row)
    return False


def _passes(snapshot: Snapshot, profile: Profile, template: Template, name: str, row: int) -> bool:
    """Whether a plugin's filter passes a node now; plugins that look at more than the node are not asked."""
    rows = np.array([row], np.intp)
    for named in profile.filters:
        if named.name == name and named.filter.scope is not Scope.CLUSTER:
            codes = named.filter.codes(snapshot, template, rows)
            return codes is None or not codes.any()
    return True
