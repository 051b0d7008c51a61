"""strongSwan's charon as a child process: its config, start and end.

It is `charon-systemd`, which runs in the foreground and has no pid file: several can run on one machine, each in its
own network namespace. All its files are in one folder. It is killed when flanneld ends (`child.py`); its states stay in
the kernel, unless it is asked to terminate.
"""

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from pybernetes.flannel.backends.child import PATH, Child, Process
from pybernetes.flannel.backends.ipsec.vici import ViciError, connect, text
from pybernetes.linux import netns

log = logging.getLogger(__name__)

PROGRAM = "charon-systemd"
_PORTS = (500, 4500)
_LOG_BYTES = 1 << 20
#: Those that a key exchange by PSK needs; of the crypto plugins openssl does everything, if it is installed.
_PLUGINS = "random nonce openssl aes sha2 hmac kdf gcm gmp drbg kernel-netlink socket-default vici"


def render(folder: Path) -> str:
    """The text of strongswan.conf. Raises ValueError if the folder's path can't be written down."""
    if '"' in str(folder) or "\n" in str(folder):
        raise ValueError(f"the path {folder} holds a quotation mark or a line break, which a config can't contain")
    return f"""# Written by flanneld. Changes by hand are lost.
charon-systemd {{
  load = {_PLUGINS}
  install_routes = no
  install_virtual_ip = no
  process_route = no
  # An attempt without an answer ends after 14 seconds and is repeated.
  keep_alive = 20s
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  retransmit_tries = 5
  retransmit_limit = 3
  # Enough for a thousand peers that all initiate at once.
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


def find(search: str = PATH) -> str | None:
    """The program, if it is installed."""
    return shutil.which(PROGRAM, path=search)


def taken_ports(target: str | None) -> str:
    """A sentence if another IKE daemon has our ports; otherwise empty. charon itself would share them."""
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


class Charon(Child):
    """Keeps one running. `alive` is called for each process when it answers, and cancelled when the process ends."""

    def __init__(self, folder: Path, target: str | None, alive: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._folder = folder
        self._program = ""
        self._alive = alive
        env = {"STRONGSWAN_CONF": str(folder / "strongswan.conf")}
        super().__init__("charon", target, folder / "charon.log", argv=self._command, live=self._while_running, env=env)

    @property
    def socket(self) -> Path:
        """The VICI socket, for `swanctl --uri unix://...` too."""
        return self._folder / "charon.vici"

    def start(self, program: str) -> None:
        """Keep it running from now on. Raises OSError or ValueError if its config can't be written."""
        config = render(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        (self._folder / "strongswan.conf").write_text(config)
        self._program = program
        self.begin()

    async def end(self, *, leave_states: bool) -> None:
        """End it; with `leave_states`, leave the states in the kernel and do not notify peers."""

        async def goodbye(process: Process) -> None:
            if leave_states:
                process.kill()
            else:
                process.terminate()

        await self.finish(goodbye)

    def trim_log(self) -> None:
        """Truncate the log if it is too long."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            os.truncate(self.log, 0)  # charon appends

    def _command(self) -> Sequence[str]:
        self.socket.unlink(missing_ok=True)
        return [self._program]

    async def _while_running(self, pid: int) -> None:
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
