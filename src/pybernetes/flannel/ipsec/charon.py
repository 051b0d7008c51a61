"""strongSwan's charon as a child process: its config, its life.

It is `charon-systemd`, which runs in the foreground and has no pid file: several can live on one machine, each in a
network namespace of its own. All its files are in one folder. It dies with us, so that none is left behind unwatched;
what it made in the kernel stays, unless it is told to end.
"""

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from pybernetes.flannel.ipsec.vici import ViciError, connect, text
from pybernetes.linux import netns

log = logging.getLogger(__name__)

PROGRAM = "charon-systemd"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PORTS = (500, 4500)
_RETRY_FIRST, _RETRY_MAX = 0.05, 5.0
#: A charon that lived so long was well; when it dies, it is started without delay.
_HEALTHY_SECONDS = 2.0
_STOP_SECONDS = 5.0
_LOG_BYTES = 1 << 20
#: Those that a key exchange by PSK needs; of the crypto ones openssl does everything, where it is installed.
_PLUGINS = "random nonce openssl aes sha2 hmac kdf gcm gmp drbg kernel-netlink socket-default vici"


def render(folder: Path) -> str:
    """The text of strongswan.conf. Raises ValueError if the folder's path can't be written down."""
    if '"' in str(folder) or "\n" in str(folder):
        raise ValueError(f"the path {folder} holds a quotation mark or a line break, which a config can't express")
    return f"""# Written by flanneld. Changes by hand are lost.
charon-systemd {{
  load = {_PLUGINS}
  install_routes = no
  install_virtual_ip = no
  process_route = no
  # A peer that does not answer is given up after 14 seconds, and asked again.
  keep_alive = 20s
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  retransmit_tries = 5
  retransmit_limit = 3
  # Enough for a thousand peers that all greet at once.
  half_open_timeout = 15
  cookie_threshold = 1000
  block_threshold = 0
  init_limit_half_open = 0
  journal {{
    default = -1
  }}
  filelog {{
    file {{
      path = "{folder / "charon.log"}"
      append = yes
      flush_line = yes
      time_format = %Y-%m-%dT%H:%M:%S
      default = 0
      ike = 1
      knl = 1
    }}
  }}
  plugins {{
    vici {{
      socket = "unix://{folder / "charon.vici"}"
    }}
  }}
}}
"""


def find(search: str = _PATH) -> str | None:
    """The program, if it is installed."""
    return shutil.which(PROGRAM, path=search)


def taken_ports(target: str | None) -> str:
    """What is wrong when another key exchange daemon has our ports; else empty. charon itself would share them."""
    for port in _PORTS:
        with netns.enter(target):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with sock:
            try:
                sock.bind(("", port))
            except OSError as error:
                hint = "is another IKE daemon running, such as strongswan.service? Stop and disable it"
                return f"charon can't have UDP port {port}: {error.strerror}; {hint}"
    return ""


class Charon:
    """Keeps one running. `alive` is called for each life, when it answers; it is cancelled at the end of that life."""

    def __init__(self, folder: Path, target: str | None, alive: Callable[[], Awaitable[None]]) -> None:
        self._folder = folder
        self._netns = target
        self._alive = alive
        self._keeper: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.answers = asyncio.Event()
        """Set while it does."""
        self.starts = 0

    @property
    def socket(self) -> Path:
        """For `swanctl --uri unix://...` too."""
        return self._folder / "charon.vici"

    @property
    def log(self) -> Path:
        """What it logs."""
        return self._folder / "charon.log"

    @property
    def running(self) -> bool:
        """Whether it is to run."""
        return self._keeper is not None

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self, program: str) -> None:
        """Run it from now on. Raises OSError or ValueError if its config can't be written."""
        config = render(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        (self._folder / "strongswan.conf").write_text(config)
        self._keeper = asyncio.create_task(self._keep(program), name="flannel: charon")

    async def end(self, *, leave_states: bool) -> None:
        """End it; with `leave_states` so that kernel and peers do not notice."""
        keeper, process, self._keeper = self._keeper, self._process, None
        if keeper is None:
            return
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        if process is None or process.returncode is not None:
            return
        if leave_states:
            process.kill()
        else:
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("charon did not end within %.0f s: killed", _STOP_SECONDS)
            process.kill()
            await process.wait()
        log.info("charon ended")

    def trim_log(self) -> None:
        """Keep the log from growing without end."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            os.truncate(self.log, 0)  # charon appends

    async def _keep(self, program: str) -> None:
        loop, delay = asyncio.get_running_loop(), _RETRY_FIRST
        while True:
            began = loop.time()
            await self._run(program)
            delay = _RETRY_FIRST if loop.time() - began > _HEALTHY_SECONDS else min(delay * 2, _RETRY_MAX)
            code = self._process.returncode if self._process else None
            log.warning("charon ended with code %s; starting it anew (its log is %s)", code, self.log)
            await asyncio.sleep(delay)

    async def _run(self, program: str) -> None:
        """One life."""
        self.starts += 1
        self.socket.unlink(missing_ok=True)
        # It must not outlive us: `setpriv` asks the kernel for that, and `exec`s.
        argv = ["setpriv", "--pdeathsig", "KILL", "--", program]
        process = await asyncio.create_subprocess_exec(
            *netns.argv_in(self._netns, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", _PATH), "STRONGSWAN_CONF": str(self._folder / "strongswan.conf")},
            umask=0o077,
        )
        self._process = process
        life = asyncio.create_task(self._live(process.pid), name="flannel: charon's tunnels")
        try:
            await process.wait()
        finally:
            self.answers.clear()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)

    async def _live(self, pid: int) -> None:
        while True:
            try:
                async with connect(self.socket) as vici:
                    version = await vici.call("version")
                break
            except ViciError:
                await asyncio.sleep(0.02)
        log.info("strongSwan %s runs with process id %d; its log is %s", text(version.get("version")), pid, self.log)
        self.answers.set()
        await self._alive()
