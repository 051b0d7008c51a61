"""Plugins load few modules, and the launchers run from anywhere."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pybernetes.cni
from pybernetes.cni import bundle
from pybernetes.cni.installer import launcher
from pybernetes.cni.plugins import PLUGINS

# Each of these costs between 1 and 260 ms.
HEAVY = {
    "os",
    "re",
    "enum",
    "typing",
    "json",
    "dataclasses",
    "contextlib",
    "threading",
    "subprocess",
    "ctypes",
    "socket",
}
HEAVY |= {"ipaddress", "pathlib", "argparse", "logging", "asyncio", "pyroute2", "msgspec", "hashlib", "collections"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_heavy_imports(plugin: str) -> None:
    parent = str(Path(pybernetes.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {parent!r})\n"
        "from pybernetes.cni import delegate, host_local, main, plugins\n"
        f"plugins.load({plugin!r})\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-ISE", "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_portmap_loads_the_rest_only_for_host_ports() -> None:
    parent = str(Path(pybernetes.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {parent!r})\n"
    code += "from pybernetes.cni import main, plugins; plugins.load('portmap')\n"
    code += "print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-ISE", "-c", code], capture_output=True, text=True, check=True)
    assert {"_socket", "_struct"}.isdisjoint(done.stdout.split())


def test_byte_code_is_written(bin_dir: Path) -> None:
    package = Path(pybernetes.__file__).parent
    for name in ("cni/main", "cni/bridge", "linux/rtnl"):
        folder, _, module = name.partition("/")
        assert list((package / folder / "__pycache__").glob(f"{module}.cpython-*.pyc"))


def _loader_of(name: str) -> str:
    """The class of the loader of a module, with the bundle installed as a launcher does it."""
    text = launcher("bridge", sys.executable, str(Path(pybernetes.__file__).parent.parent))
    script = (
        text.partition("from pybernetes.cni.main")[0] + f"import {name} as m\nprint(m.__loader__.__class__.__name__)"
    )
    done = subprocess.run([sys.executable, "-ISE", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_modules_are_loaded_from_the_bundle_unless_they_have_changed(bin_dir: Path, tmp_path: Path) -> None:
    assert {_loader_of(f"pybernetes.{name}") for name in ("cni.bridge", "linux.rtnl", "cni")} == {"Bundle"}
    source = tmp_path / "pybernetes" / "__init__.py"
    source.parent.mkdir()
    source.write_text("")
    place = tmp_path / "plugins"
    shutil.copytree(Path(pybernetes.__file__).parent / "cni", tmp_path / "pybernetes" / "cni")
    bundle.write(tmp_path / "pybernetes", ["pybernetes.cni.errors"], place)
    assert bundle.is_current(tmp_path / "pybernetes", ["pybernetes.cni.errors"], place)
    assert not bundle.is_current(tmp_path / "pybernetes", ["pybernetes.cni.bridge"], place), "it is not in there"
    data = place.read_bytes()
    length = int.from_bytes(data[:4], "little")
    _, entries = marshal.loads(data[4 : 4 + length])
    found = bundle.Bundle(str(tmp_path), -1, 0, entries)
    assert found.find_spec("pybernetes.cni.errors") is not None and found.find_spec("elsewhere") is None
    (tmp_path / "pybernetes" / "cni" / "errors.py").write_text("changed = True\n")
    assert found.find_spec("pybernetes.cni.errors") is None
    assert not bundle.is_current(tmp_path / "pybernetes", ["pybernetes.cni.errors"], place)
    assert not bundle.is_current(tmp_path / "pybernetes", [], tmp_path / "none")
    source.unlink()
    assert found.find_spec("pybernetes") is None


@pytest.mark.parametrize(
    "damage", [b"", b"\x10\x00\x00\x00", b"\xff\xff\xff\x7fgarbage", b"\x05\x00\x00\x00(\x00\x00\x00\x00"]
)
def test_a_damaged_bundle_is_ignored(tmp_path: Path, damage: bytes) -> None:
    text = launcher("bridge", os.path.realpath(sys.executable), str(Path(pybernetes.__file__).parent.parent))
    (tmp_path / f"plugins.{sys.implementation.cache_tag}").write_bytes(damage)
    script = tmp_path / "bridge"
    place = str(bundle.path_of(Path("/pybernetes"), ""))
    script.write_text(text.replace(f"parent + {place!r}", repr(str(tmp_path / "plugins."))))
    assert str(tmp_path) in script.read_text()
    script.chmod(0o755)
    done = subprocess.run([str(script)], env={"CNI_COMMAND": "VERSION"}, input=b"", capture_output=True, check=True)
    assert json.loads(done.stdout)["cniVersion"] == "1.1.0"


@pytest.mark.parametrize("stdin", [b"", b"{", b"[1", b'{"a":1} x', b"\xff\xfe", b"nul", b"[" * 100_000, b'{"a":NaN}'])
def test_a_plugin_process_reports_malformed_json(bin_dir: Path, stdin: bytes) -> None:
    """In a separate process, because the test's own process has the `json` package loaded."""
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "a", "CNI_NETNS": "/x", "CNI_IFNAME": "eth0", "CNI_PATH": "/x"}
    done = subprocess.run([str(bin_dir / "bridge")], env=env, input=stdin, capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"") and json.loads(done.stdout)["code"] == 6


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
