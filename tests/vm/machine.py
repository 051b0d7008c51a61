"""A virtual machine that runs one command in another kernel, with this machine's Python and our code.

QEMU translates the guest's instructions (`tcg`), so it does not need the processor's virtualisation. The initramfs has
everything that the command needs: Python with its library, some packages, tools with their shared libraries, our source
and tests, each under the same path as here. There are no disks and no network. The command's output goes to the second
serial port; the first is the kernel's console.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vm.cpio import Archive
from vm.guest_kernel import GuestKernel

REPOSITORY = Path(__file__).resolve().parents[2]
QEMU = "qemu-system-x86_64"

TOOLS = ("busybox", "ip", "ping", "nsenter", "nft", "sh")
PACKAGES = (
    "pytest",
    "_pytest",
    "pytest_asyncio",
    "pytest_timeout.py",
    "xdist",
    "execnet",
    "pluggy",
    "iniconfig",
    "packaging",
    "msgspec",
    "cryptography",
    "click",
)
PACKAGES_FOR_THOSE = (
    "pygments",
    "cffi",
    "_cffi_backend*.so",
    "pytest*.dist-info",
    "pluggy*.dist-info",
    "__editable__*",
    "typing_extensions.py",
    "py.py",
)
#: Large parts of Python's library that the tests do not import.
NOT_NEEDED = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "site-packages", "dist-packages", "turtledemo"}
NOT_NEEDED |= {"config-3.11-x86_64-linux-gnu", "pydoc_data", "distutils", "tests"}

_END = "the command ended with"
_INIT = f"""#!/busybox sh
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs dev /dev
/busybox mount -t tmpfs run /run
for module in $(/busybox cat /modules/order); do
    /busybox insmod /modules/$module || echo "module $module can't be loaded"
done
/busybox ip link set lo up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1 PYBERNETES_VM=1
cd {shlex.quote(str(REPOSITORY))}
/busybox sh /command </dev/null >/dev/ttyS1 2>&1
echo "{_END} $?" >/dev/ttyS1
/busybox sleep 0.2
/busybox poweroff -f
"""


class MachineError(Exception):
    """The machine could not be started, or the command did not end; the message has the console's output."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command."""

    code: int
    output: str
    seconds: float


def run(
    command: Sequence[str],
    *,
    modules: Iterable[str],
    files: Sequence[Path] = (),
    python: bool = True,
    timeout: float = 120,
    memory_mib: int = 1024,
) -> Result:
    """Boot, load the modules, run the command in the repository's folder, power off.

    `files` are added; programs among them get their libraries. Without `python` the machine has only the tools, and
    starts sooner. Raises KernelMissing or MachineError.
    """
    if shutil.which(QEMU) is None:
        raise MachineError(f"{QEMU} is missing: run tools/install.sh dev")
    kernel = GuestKernel.find()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pbt-vm-") as folder:
        first, console = Path(folder) / "initramfs", Path(folder) / "console"
        build(first, kernel.in_order(list(modules)), command, files, python=python)
        argv = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", f"{memory_mib}"]
        argv += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none"]
        argv += ["-serial", f"file:{console}", "-serial", "stdio"]
        argv += ["-kernel", str(kernel.image), "-initrd", str(first)]
        argv += ["-append", "console=ttyS0 panic=-1 quiet loglevel=4 no_timer_check tsc=unstable random.trust_cpu=on"]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
            output, trouble = done.stdout, done.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            output, trouble = late.stdout or b"", f"not finished after {timeout:.0f} s"
        text = output.decode(errors="replace").replace("\r", "")
        log = console.read_text(errors="replace") if console.exists() else ""
    end = re.search(rf"^{_END} (\d+)$", text, re.MULTILINE)
    if end is None:
        raise MachineError(f"{trouble}\n-- output --\n{text[-8000:]}\n-- console --\n{log[-4000:]}")
    warnings = f"-- console --\n{log}" if log.strip() else ""
    return Result(int(end[1]), text[: end.start()] + warnings, time.monotonic() - began)


def build(
    target: Path, modules: Sequence[Path], command: Sequence[str], more: Sequence[Path] = (), *, python: bool = True
) -> None:
    """Write the initramfs."""
    with target.open("wb") as file:
        archive = Archive(file)
        for folder in ("/proc", "/sys", "/run", "/tmp", "/root", "/etc", "/var"):
            archive.directory(folder)
        archive.device("/dev/console", 5, 1)
        archive.device("/dev/null", 1, 3)
        archive.file("/init", _INIT.encode(), mode=0o755)
        archive.file("/command", f"{shlex.join(command)}\n".encode())
        archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        for module in modules:
            archive.file(f"/modules/{module.name}", module.read_bytes())
        archive.file("/modules/order", "".join(f"{module.name}\n" for module in modules).encode())
        archive.file("/busybox", Path(_where("busybox")).read_bytes(), mode=0o755)
        tools = [Path(_where(tool)) for tool in TOOLS]
        files = [*tools, *(_python() if python else ()), *_ours(), *more]
        for path in [*files, *_libraries(files)]:
            archive.copy(path)
        archive.close()


def _where(tool: str) -> str:
    found = shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise MachineError(f"{tool} is missing: run tools/install.sh dev")
    return found


def _python() -> list[Path]:
    """The interpreter of this environment, its library, and the packages that the tests need."""
    library = Path(sysconfig.get_path("stdlib"))
    site = Path(sysconfig.get_path("purelib"))
    files = [Path(sys.executable), Path(sys.prefix) / "pyvenv.cfg", *_tree(library)]
    for pattern in (*PACKAGES, *PACKAGES_FOR_THOSE):
        for path in site.glob(pattern):
            files += _tree(path) if path.is_dir() else [path]
    return files


def _ours() -> list[Path]:
    folders = (REPOSITORY / "src", REPOSITORY / "tests" / "vm", REPOSITORY / "bench")
    return [REPOSITORY / "pyproject.toml", *(path for folder in folders for path in _tree(folder))]


def _tree(top: Path) -> list[Path]:
    found = []
    for path in sorted(top.iterdir()):
        if path.name in NOT_NEEDED or path.name.startswith(("_test", "_tkinter")):
            continue
        if path.is_dir() and not path.is_symlink():
            found += _tree(path)
        elif not path.name.endswith((".opt-1.pyc", ".opt-2.pyc")):
            found.append(path)
    return found


def _libraries(files: Iterable[Path]) -> list[Path]:
    """The shared libraries that programs and extension modules need, and the dynamic loader."""
    binaries = [str(path) for path in files if path.suffix == ".so" or os.access(path, os.X_OK)]
    listing = subprocess.run(["ldd", *binaries], capture_output=True, text=True).stdout
    return [Path(name) for name in sorted(set(re.findall(r"(/\S+) \(0x", listing)))]
