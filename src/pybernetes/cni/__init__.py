"""CNI plugins: attach pods to the network.

Flow: the container runtime starts a launcher (see `install`); `main` reads the call from the environment and standard
input, hands it to the plugin's module, and prints the result. Plugins import only the kernel layer and cheap parts of
the standard library, so that one runs in 15 to 25 ms.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def install(bin_dir: Path, python: str = sys.executable) -> None:
    """Write a launcher for each plugin into `bin_dir`, which `python` will run, and precompile the modules."""
    from pybernetes.cni.installer import write_launchers

    write_launchers(bin_dir, python)
