"""Network devices of ours: when an existing one will do, how one is made, how it is put right, when it goes.

`LinkKind` is the base; each backend that needs a device derives its kind from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Protocol, TypeVar

from pybernetes.flannel.kernel.desired import Desired, Device
from pybernetes.flannel.kernel.kind import Change, KernelKind, Outcome, Stage
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import link
from pybernetes.linux.errors import NetlinkError, NotSupported
from pybernetes.linux.link import Link
from pybernetes.linux.monitor import Event, LinkEvent
from pybernetes.linux.rtnl import Netlink

D = TypeVar("D", bound=Device)

Act = Callable[[Netlink], bool]
"""What to do to a device, and whether that changed anything. Raises NetlinkError, OSError."""


class LinkKind(KernelKind[Act], Protocol[D]):
    """Devices of one type. `type` is the type of the desired values."""

    type: type[D]
    link_kind: ClassVar[str]
    """The kernel's name for it, as in `ip link add type`."""
    module: ClassVar[str]
    """The kernel module that it needs."""
    pattern: ClassVar[re.Pattern[str]]
    """Names of devices of ours. It has to match whole names."""
    probe_checksums: ClassVar[bool] = False
    """Whether network cards are known to compute wrong checksums for packets inside such a tunnel."""

    # -- what a backend provides -------------------------------------------------------------------------
    def fits(self, want: D, have: Link, links: Mapping[str, Link]) -> bool:
        """Whether an existing device can serve. Look at properties that can't be changed in place."""
        ...

    def create(self, nl: Netlink, want: D, links: Mapping[str, Link]) -> None:
        """Make the device and set it up. Raises NetlinkError, OSError."""
        ...

    def describe(self, want: D) -> str:
        """In a few words, for the log: `vxlan id 1 port 8472`."""
        ...

    def is_right(self, want: D, have: Link) -> bool:
        """Whether a device that fits is also right in what can be changed."""
        return have.up and have.mtu == want.mtu

    def adjust(self, nl: Netlink, want: D) -> None:
        """Change what can be changed. Raises NetlinkError."""
        link.set_mtu(nl, want.name, want.mtu)
        link.set_up(nl, want.name)

    # -- what follows from it ----------------------------------------------------------------------------
    def is_ours(self, found: Link) -> bool:
        return found.kind == self.link_kind and self.owns_name(found.name)

    def owns_name(self, name: str) -> bool:
        """Whether a device of ours can have this name."""
        return self.pattern.fullmatch(name) is not None

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Act]]:
        wanted = want.of(self.type)
        for w in wanted:
            present = have.links.get(w.name)
            if present is not None and self.fits(w, present, have.links):
                if not self.is_right(w, present):
                    yield Change(Stage.DEVICES, f"link {w.name} set up, mtu {w.mtu}", partial(self._adjust, want=w))
                continue
            if present is not None:
                text = f"link {w.name} removed: its properties differ"
                yield Change(Stage.DEVICES, text, partial(_delete, name=w.name))
            text = f"link {w.name} created: {self.describe(w)} mtu {w.mtu} ({w.reason})"
            yield Change(Stage.DEVICES, text, partial(self._create, want=w, links=have.links))
        left = {name for name, found in have.ours.items() if self.is_ours(found)} - {d.name for d in want.devices}
        # A device stays as long as routes lead to it, whoever wants these.
        for name in sorted(left - {r.link for r in want.routes} if left else ()):
            yield Change(Stage.CLEAN_UP, f"link {name} removed: no peer needs it", partial(_delete, name=name))

    def apply(self, nl: Netlink, changes: Sequence[Change[Act]]) -> Outcome:
        outcome = Outcome()
        for change in changes:
            try:
                if change.action(nl):
                    outcome.done.append(change.text)
            except (NetlinkError, OSError) as error:
                outcome.errors.append(f"{' '.join(change.text.split()[:2])}: {error}")
        return outcome

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        return isinstance(event, LinkEvent) and ours(event.link.index)

    def _create(self, nl: Netlink, want: D, links: Mapping[str, Link]) -> bool:
        try:
            self.create(nl, want, links)
        except NotSupported as error:
            hint = f"this kernel lacks the module {self.module}: load it ('modprobe {self.module}'), or choose another"
            raise NotSupported(error.errno, error.op, error.what, f"{hint} backend") from error
        return True

    def _adjust(self, nl: Netlink, want: D) -> bool:
        self.adjust(nl, want)
        return True


def _delete(nl: Netlink, name: str) -> bool:
    return link.ensure_deleted(nl, name)
