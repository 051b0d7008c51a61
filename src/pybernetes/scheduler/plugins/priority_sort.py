"""PrioritySort: the pod with the highest priority first; among equals, the one that was queued first."""

from pybernetes.scheduler.args import Args
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.template import Template


def priority_sort(args: Args, objects: Objects) -> Plugin:
    """The queue's order."""
    return Plugin(queue_sort=_key)


def _key(template: Template, since: float) -> tuple[int, float]:
    return -template.priority, since
