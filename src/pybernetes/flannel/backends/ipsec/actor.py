"""Runs the ipsec backend's charon if the desired state requires it, and keeps it and its tunnels working.

| event | what we do | lost packets |
|---|---|---|
| peers are added and removed | connections are loaded and unloaded, other tunnels stay | none |
| charon dies | the next one sets up tunnels again; the old states are used until then | for a round trip |
| flanneld ends or is killed | charon is killed with it: the states stay | none for an hour, the life of keys |
| flanneld starts again | as when charon dies | for a round trip |
| another backend | charon notifies its peers and ends, once no route uses the tunnels | none |
| another program flushes states | the tunnels are set up again | for a second |
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.ipsec import charon
from pybernetes.flannel.backends.ipsec.interface import NAME
from pybernetes.flannel.backends.ipsec.policies import IpsecEnd, IpsecPeer
from pybernetes.flannel.backends.ipsec.tunnels import Tunnels
from pybernetes.flannel.backends.ipsec.vici import ViciError
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import LeaseError, Node
from pybernetes.linux import xfrm, xfrmwatch
from pybernetes.linux.errors import LinuxError

log = logging.getLogger(__name__)

_START_SECONDS = 15.0
#: Events may be missed, and retries become due: check at least this often.
_LOOK_SECONDS = 1.0
_MISSING = (
    f"the ipsec backend needs strongSwan's {charon.PROGRAM}: install it "
    "(Debian: apt-get install charon-systemd libstrongswan-standard-plugins)"
)


class CharonActor(Actor):
    """Everything it writes is in `folder`."""

    def __init__(self, folder: Path, target: str | None = None, *, search: str | None = None) -> None:
        self._netns = target
        self._search = search
        self.charon = charon.Charon(folder, target, self._alive)
        self._tunnels = Tunnels(self.charon.socket, target)
        self._want: tuple[IpsecEnd, tuple[IpsecPeer, ...]] | None = None
        self._able = False
        self._changed: Callable[[], None] = lambda: None
        self._reported: str = ""
        self._turn = asyncio.Lock()

    def start(self, changed: Callable[[], None]) -> None:
        """Added and removed states ask for a pass."""
        self._changed = self.charon.changed = changed

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Before ipsec is announced, check that there is a charon, and that the kernel supports it."""
        if config.backend == NAME and not self._able:
            if self._program() is None:
                raise LeaseError(_MISSING)
            try:
                with xfrm.Xfrm(self._netns) as nl:
                    nl.probe()
            except LinuxError as error:
                raise LeaseError(f"the ipsec backend: {error}") from error
            self._able = True
        return {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Start or stop charon, or change its peers."""
        async with self._turn:
            return await self._apply(want)

    async def _apply(self, want: Desired) -> Sequence[str]:
        if not want.of(IpsecEnd):
            await self._stop(leave_states=False)
            return []
        (end, *_) = want.of(IpsecEnd)
        self._want = end, want.of(IpsecPeer)
        program = self._program()
        if program is None:
            return [_MISSING]
        try:
            if not self.charon.running:
                if taken := await self._taken_ports():
                    return [taken]
                self._tunnels.forget()
                self.charon.start(program)
            if fault := await self.charon.answered(_START_SECONDS):
                return [fault]
            try:
                return await self._tunnels.look(end, want.of(IpsecPeer))
            except ViciError:
                # It may have died just now; try the next one.
                await asyncio.sleep(_LOOK_SECONDS)
                if fault := await self.charon.answered(_START_SECONDS):
                    return [fault]
                return await self._tunnels.look(end, want.of(IpsecPeer))
        except TimeoutError:
            return [f"charon does not start; see {self.charon.log}"]
        except (ViciError, LinuxError, OSError, ValueError) as error:
            return [f"charon: {error}"]

    async def close(self) -> None:
        """The data path stays: states are left in the kernel, and peers are not notified."""
        async with self._turn:
            await self._stop(leave_states=True)

    async def _taken_ports(self) -> str:
        """As `charon.taken_ports`, after a delay: that of a flanneld that was just killed may still be exiting."""
        for _ in range(10):
            taken = charon.taken_ports(self._netns)
            if not taken:
                break
            await asyncio.sleep(0.2)
        return taken

    def _program(self) -> str | None:
        return charon.find(self._search) if self._search is not None else charon.find()

    async def _stop(self, *, leave_states: bool) -> None:
        if self.charon.running:
            self._want = None
            await self.charon.end(leave_states=leave_states)
            self._tunnels.forget()

    async def _alive(self) -> None:
        """While one charon process runs: check it and its tunnels repeatedly."""
        self._tunnels.forget()
        async with xfrmwatch.watch(self._netns) as states:
            listener = asyncio.create_task(self._listen(states), name="flannel: IPsec states")
            try:
                while True:
                    await self._look()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_SECONDS):
                            await self._tunnels.again.wait()
                    self._tunnels.again.clear()
                    await asyncio.sleep(0.05)
            finally:
                listener.cancel()

    async def _look(self) -> None:
        if self._want is None:
            return
        self.charon.trim_log()
        try:
            problems = await self._tunnels.look(*self._want)
        except ViciError as error:
            log.debug("%s", error)  # if it persists, the next pass reports it
            return
        except (LinuxError, OSError) as error:
            problems = [str(error)]
        text = "; ".join(problems)
        if text and text != self._reported:
            log.warning("%s", text)
        self._reported = text

    async def _listen(self, states: xfrmwatch.XfrmWatch) -> None:
        while True:
            await states.changed()
            self._tunnels.again.set()
            self._changed()
