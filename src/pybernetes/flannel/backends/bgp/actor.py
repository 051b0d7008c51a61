"""Runs the bgp backend's BIRD if the desired state requires it, and keeps it running.

| event | what BIRD does | lost packets |
|---|---|---|
| peers are added and removed | reads its config again, other sessions stay | none |
| it dies | is restarted at once in recovery mode; routes stay here and, by graceful restart, at peers | none |
| flanneld ends | ends as for a graceful restart: the same | none while peers wait (`GracefulRestartTime`) |
| flanneld is killed | is killed with it, so that it never runs unsupervised: the same | the same |
| another backend | ends and removes its routes, once they are no longer used | none |
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
        """Process id of the running BIRD."""
        return self._child.pid

    @property
    def ready(self) -> bool:
        """Whether BIRD answers."""
        return self._child.answers.is_set()

    @property
    def session_states(self) -> Mapping[str, float]:
        """1 for each established session, 0 for the others, by the peer's name."""
        return {self._names[name]: float(state.up) for name, state in self._seen.items() if name in self._names}

    def measure(self, metrics: FlannelMetrics) -> None:
        metrics.bgp_sessions = lambda: self.session_states
        metrics.bird_starts = lambda: self._child.starts

    def start(self, changed: Callable[[], None]) -> None:
        """The kernel reports BIRD's routes; this reports a BIRD that does not keep running."""
        self._child.changed = changed

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Before bgp is announced, check that BIRD is installed."""
        if config.backend == NAME and self._find() is None:
            raise LeaseError(_MISSING)
        return {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Start or stop BIRD, or give it a new config."""
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
        """Wait a limited time for sessions with routers: nodes send to us through them. Raises BirdError."""
        end = asyncio.get_running_loop().time() + _ROUTER_SECONDS
        while routers and asyncio.get_running_loop().time() < end:
            routers = routers - {s.name for s in sessions(await ask(self.socket, "show protocols")) if s.up}
            await asyncio.sleep(0.05)
        for name in sorted(routers):
            log.warning("no BGP session with %s yet; going on without it", self._names[name])

    async def close(self) -> None:
        """The data path stays: BIRD leaves its routes in the kernel, and peers keep theirs."""
        await self._end("graceful restart")

    def _find(self) -> str | None:
        return shutil.which("bird", path=self._search)

    async def _write(self, program: str, text: str) -> None:
        """Install the config, if BIRD accepts it. Raises BirdError, OSError."""
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
        """The command to start it."""
        self.socket.unlink(missing_ok=True)
        with Netlink(self._netns) as nl:
            # Routes of the previous BIRD are taken over, not flushed.
            recovery = ["-R"] if learned(nl) else []
        files = ["-c", str(self._folder / "bird.conf"), "-s", str(self.socket), "-P", str(self._folder / "bird.pid")]
        return [self._program, "-f", *recovery, *files]

    async def _watch(self, pid: int) -> None:
        """Wait until BIRD answers; then log sessions as they change."""
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
            peer = self._names.get(name, name)
            if state.up:
                log.info("BGP session with %s is established", peer)
            else:
                log.warning("BGP session with %s is not established: %s", peer, state.info)
        self._seen = now

    async def _stop(self) -> None:
        """End it, and remove its routes and files."""
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
