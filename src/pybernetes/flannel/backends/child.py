"""Supervises a child process (BIRD, charon): restarts it when it exits.

The kernel kills it when flanneld ends, so that it never runs unsupervised. The first few exits are logged; after too
many quick ones, the last line of its log is reported as a problem.
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
#: A process that ran this long was healthy; when it exits, it is restarted without delay.
_HEALTHY_SECONDS = 2.0
#: This many quick exits in a row are a problem.
_TOO_MANY = 4
_STOP_SECONDS = 5.0
#: Left out of the last line, so that the problem's text stays the same; the number is that of charon's thread.
_STAMP = re.compile(r"^[-0-9]+[ T][:.0-9]+ (?:\d+(?=\[))?")

Process = asyncio.subprocess.Process


class Child:
    """Keeps one program running.

    `argv` is called before each start, and may clean up after the previous process. `live` is started with the id of
    each process; it sets `answers`, and is cancelled when the process ends.
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
        self._exits = 0
        self.log = log_file
        """Its log file."""
        self.answers = asyncio.Event()
        """Set while the program answers."""
        self.fault = ""
        """Why it does not keep running; empty: it does."""
        self.changed: Callable[[], None] = lambda: None
        """Called when `fault` changes."""
        self.starts = 0
        """How often it was started."""

    @property
    def running(self) -> bool:
        """Whether it should run."""
        return self._keeper is not None

    @property
    def pid(self) -> int | None:
        """Id of the process, if there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def begin(self) -> None:
        """Keep it running from now on."""
        self._keeper = asyncio.create_task(self._keep(), name=f"flannel: {self._name}")

    async def answered(self, seconds: float) -> str:
        """Wait until it answers; returns `fault`, if that is set first. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.answers.is_set():
                if self.fault:
                    return self.fault
                await asyncio.sleep(0.01)
        return ""

    async def finish(self, goodbye: Callable[[Process], Awaitable[None]]) -> None:
        """End it by calling `goodbye`; kill it if that does not help."""
        keeper, process, self._keeper = self._keeper, self._process, None
        self._exits, self.fault = 0, ""
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
            self._exits += 1
            level = logging.DEBUG if self._exits > _TOO_MANY else logging.WARNING
            log.log(level, "%s %s; restarting it (its log is %s)", self._name, end, self.log)
            if self._exits == _TOO_MANY:
                self._set_fault(f"{self._name} {refused or self._why()}")
            await asyncio.sleep(min(_RETRY_FIRST * 2 ** min(self._exits - 1, 10), _RETRY_MAX))

    async def _run(self) -> int:
        """Run one process; returns its exit code."""
        self.starts += 1
        # `setpriv` makes the kernel kill it when we end, and `exec`s it.
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *self._argv()]
        process = self._process = await asyncio.create_subprocess_exec(
            *netns.argv_in(self._netns, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._env,
            umask=0o077,
        )
        living = asyncio.create_task(self._live(process.pid), name=f"flannel: {self._name} process")
        try:
            try:
                async with asyncio.timeout(_HEALTHY_SECONDS):
                    return await process.wait()
            except TimeoutError:
                self._exits = 0
                self._set_fault("")
                return await process.wait()
        finally:
            self.answers.clear()
            living.cancel()
            for error in await asyncio.gather(living, return_exceptions=True):
                if isinstance(error, Exception):
                    log.error("%s is no longer checked", self._name, exc_info=error)

    def _set_fault(self, fault: str) -> None:
        if fault != self.fault:
            self.fault = fault
            self.changed()

    def _why(self) -> str:
        """The last line of its log."""
        try:
            last = self.log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        except OSError:
            last = ""
        words = _STAMP.sub("", last)[:200] or "its log is empty"
        return f"exits right after each start: {words}; see {self.log}"
