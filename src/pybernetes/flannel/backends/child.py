"""A program that has to run as long as we do, such as BIRD or charon: started, and started anew whenever it dies.

It dies with us, so that none is left behind unwatched. One that can't live is a fault, which is told once: each of
its first deaths is logged, and then its own last words are what a pass reports.
"""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from pybernetes.linux import netns
from pybernetes.linux.errors import LinuxError

log = logging.getLogger(__name__)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RETRY_FIRST, _RETRY_MAX = 0.02, 5.0
#: One that lived so long was well; when it dies, it is started without delay.
_HEALTHY_SECONDS = 2.0
#: So many short lives in a row are a fault.
_TOO_MANY = 4
_STOP_SECONDS = 5.0
#: A time in front of last words would be another one each time; the number after it is that of charon's thread.
_STAMP = re.compile(r"^[-0-9]+[ T][:.0-9]+ (?:\d+(?=\[))?")

Process = asyncio.subprocess.Process


class Child:
    """Keeps one running.

    `argv` is asked before each life, and may clean up after the one before. `live` is called with the process id for
    each life, beside it; it sets `answers`, and is cancelled at the end of that life.
    """

    def __init__(
        self,
        name: str,
        target: str | None,
        log_file: Path,
        *,
        argv: Callable[[], Sequence[str]],
        live: Callable[[int], Coroutine[Any, Any, None]],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._netns = target
        self._argv = argv
        self._live = live
        self._env = {"PATH": os.environ.get("PATH", PATH), **(env or {})}
        self._keeper: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._deaths = 0
        self.log = log_file
        """What it logs."""
        self.answers = asyncio.Event()
        """Set while it does."""
        self.fault = ""
        """Why it can't live; empty: it can."""
        self.changed: Callable[[], None] = lambda: None
        """Told of a fault that came or went."""
        self.starts = 0
        """How often it was started."""

    @property
    def running(self) -> bool:
        """Whether it is to run."""
        return self._keeper is not None

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def begin(self) -> None:
        """Run it from now on."""
        self._keeper = asyncio.create_task(self._keep(), name=f"flannel: {self._name}")

    async def answered(self, seconds: float) -> str:
        """Wait until it answers; its fault, if it can't. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.answers.is_set():
                if self.fault:
                    return self.fault
                await asyncio.sleep(0.01)
        return ""

    async def finish(self, goodbye: Callable[[Process], Awaitable[None]]) -> None:
        """End it, by what `goodbye` does; and if that does not help, by force."""
        keeper, process, self._keeper = self._keeper, self._process, None
        self._deaths, self.fault = 0, ""
        if keeper is None:
            return
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        if process is None or process.returncode is not None:
            return
        await goodbye(process)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not end within %.0f s: killed", self._name, _STOP_SECONDS)
            process.kill()
            await process.wait()
        log.info("%s ended", self._name)

    async def _keep(self) -> None:
        while True:
            refused = ""
            try:
                end = f"ended with code {await self._run()}"
            except (OSError, LinuxError) as error:
                end = refused = f"could not be started: {error}"
            self._deaths += 1
            level = logging.DEBUG if self._deaths > _TOO_MANY else logging.WARNING
            log.log(level, "%s %s; starting it anew (its log is %s)", self._name, end, self.log)
            if self._deaths == _TOO_MANY:
                self._tell(f"{self._name} {refused or self._why()}")
            await asyncio.sleep(min(_RETRY_FIRST * 2 ** min(self._deaths - 1, 10), _RETRY_MAX))

    async def _run(self) -> int:
        """One life."""
        self.starts += 1
        # It must not outlive us: `setpriv` asks the kernel for that, and `exec`s.
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *self._argv()]
        process = self._process = await asyncio.create_subprocess_exec(
            *netns.argv_in(self._netns, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._env,
            umask=0o077,
        )
        life = asyncio.create_task(self._live(process.pid), name=f"flannel: {self._name} lives")
        try:
            try:
                async with asyncio.timeout(_HEALTHY_SECONDS):
                    return await process.wait()
            except TimeoutError:
                self._deaths = 0
                self._tell("")
                return await process.wait()
        finally:
            self.answers.clear()
            life.cancel()
            for error in await asyncio.gather(life, return_exceptions=True):
                if isinstance(error, Exception):
                    log.error("%s was not looked after", self._name, exc_info=error)

    def _tell(self, fault: str) -> None:
        if fault != self.fault:
            self.fault = fault
            self.changed()

    def _why(self) -> str:
        """Its own last words."""
        try:
            last = self.log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        except OSError:
            last = ""
        words = _STAMP.sub("", last)[:200] or "its log says nothing"
        return f"ends as soon as it is started, again and again: {words}; see {self.log}"
