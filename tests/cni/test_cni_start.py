"""Plugins start fast because they load little; and the launchers run wherever they are put."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pybernetes.cni
from pybernetes.cni.installer import launcher
from pybernetes.cni.main import PLUGINS

# Each of these costs between 3 and 260 ms.
HEAVY = {"re", "enum", "typing", "json", "dataclasses", "contextlib", "threading", "subprocess", "ctypes", "socket"}
HEAVY |= {"ipaddress", "pathlib", "argparse", "logging", "asyncio", "pyroute2", "msgspec", "hashlib", "collections"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_heavy_imports(plugin: str) -> None:
    parent = str(Path(pybernetes.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {parent!r})\n"
        "from pybernetes.cni import main, delegate, host_local\n"
        f"main.load({plugin!r})\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-ISE", "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_byte_code_is_there(bin_dir: Path) -> None:
    package = Path(pybernetes.__file__).parent
    for name in ("cni/main", "cni/bridge", "linux/rtnl"):
        folder, _, module = name.partition("/")
        assert list((package / folder / "__pycache__").glob(f"{module}.cpython-*.pyc"))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_launchers_run_from_anywhere(bin_dir: Path, plugin: str) -> None:
    env = {"CNI_COMMAND": "VERSION"}
    done = subprocess.run([str(bin_dir / plugin)], env=env, cwd="/", input=b"{}", capture_output=True, check=True)
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]


def test_an_interpreter_with_a_long_or_odd_path(tmp_path: Path) -> None:
    odd = tmp_path / "with space"
    odd.mkdir()
    (odd / "python").symlink_to(os.path.realpath(sys.executable))
    script = tmp_path / "bridge"
    script.write_text(launcher("bridge", str(odd / "python"), str(Path(pybernetes.__file__).parent.parent)))
    script.chmod(0o755)
    env = {"CNI_COMMAND": "VERSION", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(script)], env=env, input=b"{}", capture_output=True, check=True)
    assert json.loads(done.stdout)["cniVersion"] == "1.1.0"
