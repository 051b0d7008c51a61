"""The guest's kernel: Debian's cloud kernel, which tools/install.sh dev unpacks without installing it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path


class KernelMissing(Exception):
    """There is no kernel to boot; the message names the command that gets one."""


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """An unpacked linux-image package."""

    image: Path
    modules: Path
    """The folder with the modules, lib/modules/<release>."""

    @classmethod
    def find(cls) -> "GuestKernel":
        """The kernel in the cache folder. Raises KernelMissing."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pybernetes" / "vm-kernel"
        images = sorted((cache / "boot").glob("vmlinuz-*"))
        if not images:
            raise KernelMissing(f"no kernel for virtual machines in {cache}: run tools/install.sh dev")
        release = images[-1].name.removeprefix("vmlinuz-")
        return cls(images[-1], cache / "lib" / "modules" / release)

    def in_order(self, names: list[str]) -> list[Path]:
        """The files of these modules and their dependencies, in the order in which they can be loaded.

        A built-in module is left out; an unknown one raises KernelMissing.
        """
        files = {_plain(path.stem): path for path in self.modules.rglob("*.ko")}
        builtin = {_plain(Path(line).stem) for line in (self.modules / "modules.builtin").read_text().split()}
        order: dict[Path, None] = {}

        def add(name: str) -> None:
            if name in builtin:
                return
            if name not in files:
                raise KernelMissing(f"the kernel {self.modules.name} has no module {name}")
            for needed in needs(files[name].read_bytes()):
                add(needed)
            order[files[name]] = None

        for name in names:
            add(_plain(name))
        return list(order)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def needs(module: bytes) -> list[str]:
    """The modules that a module depends on, from its .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [_plain(name) for name in found[1].decode().split(",") if name] if found else []
