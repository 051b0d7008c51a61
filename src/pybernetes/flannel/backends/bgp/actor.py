"""Runs the bgp backend's BIRD as the desired state asks for it, and keeps it running.

| what happens | what BIRD does | packets |
|---|---|---|
| peers come and go | reads its config again, other sessions stay | none lost |
| it dies | is started anew at once in recovery mode; routes stay here and, by graceful restart, at peers | none lost |
| flanneld ends | leaves for a graceful restart: the same | none lost while peers wait (`GracefulRestartTime`) |
| flanneld is killed | dies with it, so that none is left behind unwatched: the same | the same |
| another backend | ends and takes its routes along, once nobody uses them | none lost |
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.bgp import bird
from pybernetes.flannel.backends.bgp.control import BirdError, SessionState, ask, sessions
from pybernetes.flannel.backends.bgp.learned import learned
from pybernetes.flannel.backends.bgp.speaker import NAME, BgpSession, BgpSpeaker
from pybernetes.flannel.backends.child import PATH, Child, Process
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import LeaseError, Node
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)

_START_SECONDS = 5.0
_ROUTER_SECONDS = 5.0
_WATCH_SECONDS = 2.0
_MISSING = "the bgp backend needs BIRD 2: install it (Debian: apt-get install bird2)"


class BirdActor(Actor):
    """Everything it writes is in `folder`."""

    def __init__(self, folder: Path, target: str | None = None, *, search: str = PATH) -> None:
        self._folder = folder
        self._netns = target
        self._search = search
        self._text = ""
        self._names: dict[str, str] = {}
        self._program = ""
        self._child = Child("BIRD", target, folder / "bird.log", argv=self._argv, live=self._watch)
        self._seen: dict[str, SessionState] = {}

    @property
    def socket(self) -> Path:
        """BIRD's control socket, for `birdc -s` too."""
        return self._folder / "bird.ctl"

    @property
    def pid(self) -> int | None:
        """The running BIRD's."""
        return self._child.pid

    @property
    def ready(self) -> bool:
        """Whether BIRD answers."""
        return self._child.answers.is_set()

    @property
    def session_states(self) -> Mapping[str, float]:
        """1 for each session that stands, 0 for the others, by the peer's name."""
        return {self._names[name]: float(state.up) for name, state in self._seen.items() if name in self._names}

    def measure(self, metrics: FlannelMetrics) -> None:
        metrics.bgp_sessions = lambda: self.session_states
        metrics.bird_starts = lambda: self._child.starts

    def start(self, changed: Callable[[], None]) -> None:
        """The kernel tells of BIRD's routes; we of a BIRD that can't live."""
        self._child.changed = changed

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Before peers are told to use bgp, there must be something that speaks it."""
        if config.backend == NAME and self._find() is None:
            raise LeaseError(_MISSING)
        return {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Start, stop, or tell of a new config."""
        speakers, wanted = want.of(BgpSpeaker), want.of(BgpSession)
        if not speakers:
            await self._stop()
            return []
        program = self._find()
        if program is None:
            return [_MISSING]
        try:
            text = bird.render(speakers, wanted, self._child.log)
            if text == self._text:
                return [self._child.fault] if self._child.fault else []
            await self._write(program, text)
            self._names = {bird.protocol_name(s.address): s.node for s in wanted}
            running = self._child.running
            if not running:
                self._program = program
                self._child.begin()
            if fault := await self._child.answered(_START_SECONDS):
                return [fault]
            if running:
                await ask(self.socket, "configure")
            else:
                await self._wait_for_routers({bird.protocol_name(s.address) for s in wanted if s.outside})
            self._text = text
        except (BirdError, OSError, ValueError) as error:
            return [f"BIRD: {error or 'it does not start; see ' + str(self._child.log)}"]
        return []

    async def _wait_for_routers(self, routers: set[str]) -> None:
        """Wait a while until the routers know us: who hears of us sends by them. Raises BirdError."""
        end = asyncio.get_running_loop().time() + _ROUTER_SECONDS
        while routers and asyncio.get_running_loop().time() < end:
            routers = routers - {s.name for s in sessions(await ask(self.socket, "show protocols")) if s.up}
            await asyncio.sleep(0.05)
        for name in sorted(routers):
            log.warning("%s does not answer yet; it goes on without", self._names[name])

    async def close(self) -> None:
        """The data path stays: BIRD leaves its routes in the kernel, and peers wait for it to come back."""
        await self._end("graceful restart")

    def _find(self) -> str | None:
        return shutil.which("bird", path=self._search)

    async def _write(self, program: str, text: str) -> None:
        """Put the config in place, unless BIRD would not take it. Raises BirdError, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._folder / "bird.conf.new"
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)  # it may hold passwords
        fresh.write_text(text)
        check = await asyncio.create_subprocess_exec(
            *(program, "-p", "-c", str(fresh)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await check.communicate()
        if check.returncode:
            raise BirdError(f"its config is refused: {out.decode(errors='replace').strip()}")
        fresh.replace(self._folder / "bird.conf")

    def _argv(self) -> Sequence[str]:
        """How to start it."""
        self.socket.unlink(missing_ok=True)
        with Netlink(self._netns) as nl:
            # Routes of the one before: they are taken over, not flushed.
            recovery = ["-R"] if learned(nl) else []
        files = ["-c", str(self._folder / "bird.conf"), "-s", str(self.socket), "-P", str(self._folder / "bird.pid")]
        return [self._program, "-f", *recovery, *files]

    async def _watch(self, pid: int) -> None:
        """Wait until BIRD answers; then tell of sessions that come and go."""
        while not self.ready:
            try:
                await ask(self.socket, "show status")
            except BirdError:
                await asyncio.sleep(0.02)
                continue
            log.info("BIRD runs with process id %d, its socket is %s", pid, self.socket)
            self._child.answers.set()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                self._log_changes({state.name: state for state in sessions(await ask(self.socket, "show protocols"))})
            except BirdError as error:
                log.warning("%s", error)

    def _log_changes(self, now: dict[str, SessionState]) -> None:
        for name, state in now.items():
            before = self._seen.get(name)
            if before is not None and before.up == state.up:
                continue
            who = self._names.get(name, name)
            if state.up:
                log.info("BGP session with %s is established", who)
            else:
                log.warning("BGP session with %s is not established: %s", who, state.info)
        self._seen = now

    async def _stop(self) -> None:
        """End it, with all its routes and files."""
        await self._end("down")
        if self._folder.exists():
            shutil.rmtree(self._folder)

    async def _end(self, command: str) -> None:
        async def goodbye(process: Process) -> None:
            try:
                await ask(self.socket, command)
            except BirdError as error:
                log.warning("%s", error)
                process.terminate()

        self._text = ""
        await self._child.finish(goodbye)
        self._seen = {}
