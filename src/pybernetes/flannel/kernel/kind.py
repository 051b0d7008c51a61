"""A kind of kernel object: how it is read, compared, changed, recognised and recovered.

The reconciler (`reconcile.py`) knows no kind by name. It is given a list: the kinds that every backend may use, and
those that each backend brings along. A kind keeps no state between passes, and time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

from pybernetes.flannel.kernel.desired import Desired, Device, LinkAddress
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import Lease
from pybernetes.linux.errors import Missing
from pybernetes.linux.link import Link
from pybernetes.linux.monitor import Event
from pybernetes.linux.rtnl import Netlink, Request

A = TypeVar("A")


class Stage(IntEnum):
    """The order of changes in a pass.

    What is missing is added first, routes are replaced in place, and what is left over goes last: a change of backend
    never leaves a peer without a route.
    """

    DEVICES = 1
    """Devices. The kernel is read again before anything that hangs on them is compared."""
    SET_UP = 2
    """What a device needs before routes lead to it: keys, peers, policies."""
    ADD = 3
    """Entries that are missing or differ, kind by kind in the order of the list."""
    REMOVE = 4
    """Entries that are no longer wanted, in the reverse order."""
    CLEAN_UP = 5
    """What no route leads to any more, in the reverse order: policies, devices."""


@dataclass(frozen=True, slots=True)
class Change(Generic[A]):
    """One thing to do, in words for the log and as its kind carries it out."""

    stage: Stage
    text: str
    action: A


@dataclass(slots=True)
class Outcome:
    """What was done, in words, and what could not be done."""

    done: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kind reads from: the namespace, and its links, which were read before."""

    nl: Netlink
    links: Mapping[str, Link]
    """All links by name."""
    ours: Mapping[str, Link]
    """Those that a backend made."""
    names: Mapping[int, str]
    """Name of each link by index."""
    our_names: Mapping[int, str]
    """Name of each link of ours by index."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What objects in the kernel show about the previous run of this daemon."""

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The backends that have devices here, each with those of its options that devices show."""
    leases: tuple[Lease, ...] = ()
    """What peers announced then, as far as it shows."""
    devices: tuple[Device, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()


class KernelKind(Protocol[A]):
    """One kind. Subclass it: what is not overridden means "nothing"."""

    type: type
    """The type of the desired values: `Desired.of(kind.type)`."""
    may_wait: bool = False
    """Whether routes may have to wait for objects of this kind; see `pending`."""
    ahead: bool = False
    """Whether new objects may be sent to the kernel ahead of the comparison; see `fast_path.py`."""
    poll_seconds: float | None = None
    """For kinds of which the kernel reports no changes: how often to look while there are any."""

    def observe(self, reading: Reading) -> Iterable[object]:
        """Read the objects of this kind that are ours."""
        return ()

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[A]]:
        """Compare. Pure. `now` is Unix time.

        Leave out what hangs on links that are not in `have.links`: they could not be made, which has been reported.
        """
        return ()

    def apply(self, nl: Netlink, changes: Sequence[Change[A]]) -> Outcome:
        """Carry out changes of one stage."""
        raise NotImplementedError

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        """What the kernel shows about a previous run, given the present leases. Pure."""
        return Recovery()

    def is_ours(self, found: Link) -> bool:
        """Whether a link is a device of this kind that we made. Pure."""
        return False

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        """Whether an event may be a change to our objects of this kind; `ours`: whether a link is ours."""
        return False

    def pending(self, want: Desired, have: Observed, now: float) -> Mapping[str, str]:
        """Destinations whose new route can't carry packets yet, and what each waits for, as in "the tunnel stands"."""
        return {}

    def prompt(self, want: Desired, waiting: Collection[str]) -> Desired:
        """Change what is wanted so that peers behind these destinations answer although no packet goes there yet."""
        return want


AnyKind = KernelKind[Any]
"""An element of the list: what its changes carry is between its `diff` and its `apply`."""


@dataclass(frozen=True, slots=True)
class Message:
    """An action of the kinds that rtnetlink messages change."""

    request: Request
    missing_ok: bool = False
    """A removal: if the object is missing, the aim is reached."""


class EntryKind(KernelKind[Message], Protocol):
    """Base of the kinds that rtnetlink messages change: the changes of a stage go out in one batch."""

    def apply(self, nl: Netlink, changes: Sequence[Change[Message]]) -> Outcome:
        """Send them all."""
        outcome = Outcome()
        for change, error in zip(changes, nl.batch([change.action.request for change in changes]), strict=True):
            if error is None:
                outcome.done.append(change.text)
            elif not (change.action.missing_ok and isinstance(error, Missing)):
                outcome.errors.append(f"{change.text}: {error}")
        return outcome


def add(text: str, request: Request) -> Change[Message]:
    """A change of the stage ADD."""
    return Change(Stage.ADD, text, Message(request))


def remove(text: str, request: Request) -> Change[Message]:
    """A change of the stage REMOVE."""
    return Change(Stage.REMOVE, text, Message(request, missing_ok=True))


def difference(want: Sequence[A], have: frozenset[A]) -> tuple[tuple[A, ...], frozenset[A]]:
    """(missing, too much). Each wanted object occurs once, so equal counts mean that nothing is too much."""
    missing = tuple(item for item in want if item not in have)
    return missing, have.difference(want) if len(have) + len(missing) != len(want) else frozenset()
