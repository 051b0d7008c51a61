"""Find the shared libraries of programs with the system's dynamic loader."""

from collections.abc import Iterable
from pathlib import Path

from pybernetes.cluster.commands import run
from pybernetes.cluster.errors import ConfigError

_PT_INTERP = 3


def interpreter(elf: bytes) -> str:
    """The loader of a dynamic program (its PT_INTERP header); "" for a static one. 64-bit little-endian ELF."""
    if elf[:6] != b"\x7fELF\x02\x01":
        return ""
    table = int.from_bytes(elf[32:40], "little")
    size = int.from_bytes(elf[54:56], "little")
    for number in range(int.from_bytes(elf[56:58], "little")):
        header = elf[table + number * size : table + (number + 1) * size]
        if int.from_bytes(header[:4], "little") == _PT_INTERP:
            start, length = int.from_bytes(header[8:16], "little"), int.from_bytes(header[32:40], "little")
            return elf[start : start + length].rstrip(b"\0").decode()
    return ""


def loader(program: Path) -> Path:
    """The dynamic loader of a program. Raises ConfigError for a static program."""
    found = interpreter(program.read_bytes())
    if not found:
        raise ConfigError(f"{program} is not a dynamically linked 64-bit program")
    return Path(found)


def parse_list(text: str) -> dict[str, Path]:
    """Parse the output of `ld.so --list`: `libz.so.1 => /lib/libz.so.1 (0x...)`. Name to path, without the vDSO."""
    found = {}
    for line in text.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        place = rest.rpartition(" (")[0]
        if arrow and place.startswith("/"):
            found[name] = Path(place)
    return found


def closure(ld: Path, files: Iterable[Path]) -> dict[str, Path]:
    """All libraries that these programs and modules load, by name, without the loader itself.

    Raises ConfigError that names a missing library.
    """
    found: dict[str, Path] = {}
    for file in files:
        text = run([ld, "--list", file])
        if "not found" in text:
            lacks = ", ".join(line.split()[0] for line in text.splitlines() if "not found" in line)
            raise ConfigError(f"{file} needs {lacks}, which is not on this machine")
        found |= parse_list(text)
    return {name: place for name, place in sorted(found.items()) if place.name != ld.name}
