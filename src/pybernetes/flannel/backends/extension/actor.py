"""Runs the commands of the extension backend. They come from the network config and run as written.

Values are passed in the environment and on standard input, never inserted into the command: see `backend.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping, Sequence

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.extension.commands import FACT, NAME, Commands, HookPeer
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import LeaseError, Node
from pybernetes.linux import netns

log = logging.getLogger(__name__)

_SECONDS = 60.0


class CommandFailed(Exception):
    """It could not be run, its exit code was not 0, or it did not end in time."""


class ExtensionActor(Actor):
    """Runs each command when its time comes, and again if it failed."""

    def __init__(self, target: str | None, *, timeout: float = _SECONDS) -> None:
        self._netns = target
        self._timeout = timeout
        self._commands: Commands | None = None
        self._output: str | None = None
        self._started: tuple[object, ...] = ()
        self._added: dict[str, HookPeer] = {}

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Run the PreStartupCommand, once; its output is announced to peers."""
        commands = Commands.read(config.options) if config.backend == NAME else None
        if commands is None:
            return {}
        if self._output is None or self._commands is None or self._commands.pre_startup != commands.pre_startup:
            try:
                self._output = await self._run(commands.pre_startup, {}, "")
            except CommandFailed as error:
                raise LeaseError(f"Backend.PreStartupCommand: {error}") from error
        self._commands = commands
        return {FACT: self._output} if self._output else {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Run the commands for peers that were added or removed; one that fails is run again at the next pass."""
        commands = self._commands
        if commands is None:
            return []
        problems: list[str] = []
        wanted = {hook.subnet: hook for hook in want.of(HookPeer)}
        if config.backend == NAME:
            problems += await self._post_startup(commands, config, me)
        for subnet, hook in list(self._added.items()):
            if subnet not in wanted:
                problems += await self._try("SubnetRemoveCommand", commands.subnet_remove, _of(hook), hook.data)
                del self._added[subnet]
        for subnet, hook in wanted.items():
            if self._added.get(subnet) != hook:
                failed = await self._try("SubnetAddCommand", commands.subnet_add, _of(hook), hook.data)
                problems += failed
                if not failed:
                    self._added[subnet] = hook
        if config.backend != NAME and not self._added:
            await self.close()
        return problems

    async def close(self) -> None:
        """Run the ShutdownCommand."""
        commands, self._commands = self._commands, None
        self._output, self._started = None, ()
        if commands is not None:
            for problem in await self._try("ShutdownCommand", commands.shutdown, {}, ""):
                log.error("%s", problem)

    async def _post_startup(self, commands: Commands, config: NetworkConfig, me: Node) -> list[str]:
        situation = (commands.post_startup, me.lease.families)
        if self._started == situation:
            return []
        env: dict[str, str] = {}
        for family in config.families:
            part, prefix = me.lease.family(family.version), "" if family.version == 4 else "IPV6_"
            if part is not None:
                values = {"NETWORK": family.network, "SUBNET": part.subnet, "PUBLIC_IP": part.public_ip}
                env |= {prefix + name: str(value) for name, value in values.items()}
        problems = await self._try("PostStartupCommand", commands.post_startup, env, "")
        if not problems:
            self._started = situation
        return problems

    async def _try(self, name: str, command: Sequence[str], env: Mapping[str, str], text: str) -> list[str]:
        try:
            await self._run(command, env, text)
        except CommandFailed as error:
            return [f"Backend.{name}{' for ' + env['SUBNET'] if 'SUBNET' in env else ''}: {error}"]
        return []

    async def _run(self, command: Sequence[str], env: Mapping[str, str], text: str) -> str:
        """Its standard output and error together. An empty command does nothing. Raises CommandFailed."""
        if not command:
            return ""
        try:
            process = await asyncio.create_subprocess_exec(
                *netns.argv_in(self._netns, command),
                env={**os.environ, **env},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(f"{command[-1]!r} can't be run: {error}") from error
        try:
            async with asyncio.timeout(self._timeout):
                out, _ = await process.communicate(f"{text}\n".encode())
        except TimeoutError as error:
            raise CommandFailed(f"{command[-1]!r} did not end within {self._timeout:g} s") from error
        finally:
            # Processes that a command has left running in the background are not killed.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        output = out.decode(errors="replace").strip()
        if process.returncode:
            raise CommandFailed(f"{command[-1]!r} ended with code {process.returncode}: {output[-500:]}")
        log.info("Ran command: %s\n Output: %s", command[-1], output)
        return output


def _of(hook: HookPeer) -> dict[str, str]:
    return {"SUBNET": hook.subnet, "PUBLIC_IP": hook.ip}
