"""Types of flags: durations, ports, networks, labels and the like. Errors show a valid example."""

import ipaddress
import re
from pathlib import Path
from typing import Any, NamedTuple

import click

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Parse a duration in Go's syntax into seconds: `1m30s`, `250ms`, `1.5h`, `0`. Raises ValueError."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    position, total = 0, 0.0
    while rest and position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            raise ValueError(text)
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not rest:
        raise ValueError(text)
    return sign * total


class Duration(click.ParamType[float]):
    """A duration in Go's syntax."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = value if isinstance(value, float) else parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration; write one such as 1m30s, 250ms or 0", param, ctx)
        if seconds < 0:
            self.fail(f"{value!r} is negative; write a duration such as 1m30s", param, ctx)
        return seconds


class Address(click.ParamType[str]):
    """An IPv4 or IPv6 address."""

    name = "ip"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "":
            return ""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is not an IP address; write one such as 10.0.0.1 or fd00::1", param, ctx)


class Cidr(click.ParamType[str]):
    """A network."""

    name = "cidr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(ipaddress.ip_network(value))
        except ValueError as error:
            self.fail(f"{value!r} is not a network ({error}); write one such as 10.244.0.0/16", param, ctx)


class PortRange(click.ParamType[tuple[int, int]]):
    """First and last port."""

    name = "port range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", str(value))
        if match is None or not 0 < int(match[1]) <= int(match[2]) < 65536:
            self.fail(f"{value!r} is not a range of ports; write one such as 30000-32767", param, ctx)
        return int(match[1]), int(match[2])


class HostPort(click.ParamType[tuple[str, int]]):
    """An address to listen on: `127.0.0.1:10256`, `[::]:10256`; port 0 or empty disables it."""

    name = "ip:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if value == "":
            return "", 0
        host, _, port = str(value).rpartition(":")
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
            if not 0 <= int(port) < 65536:
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is not an address with a port; write one such as 0.0.0.0:10256", param, ctx)
        return address, int(port)


class Pairs(click.ParamType[tuple[str, str]]):
    """One `key=value`."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not key=value; write one such as disktype=ssd", param, ctx)
        return key, text


class TaintText(NamedTuple):
    """A taint in its parts."""

    key: str
    value: str
    effect: str


class Taints(click.ParamType[TaintText]):
    """One `key=value:Effect`."""

    name = "key=value:effect"
    _effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TaintText:
        pair, _, effect = str(value).rpartition(":")
        key, _, text = pair.partition("=")
        if not key or effect not in self._effects:
            effects = ", ".join(self._effects)
            self.fail(f"{value!r} is not key=value:Effect with an effect of {effects}", param, ctx)
        return TaintText(key, text, effect)


class Present(click.ParamType[Path | None]):
    """A file that can be read."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | None:
        if value is None or isinstance(value, Path):
            return value
        if not value:
            return None
        try:
            with open(value, "rb"):
                return Path(value)
        except OSError as error:
            self.fail(f"cannot read {value!r}: {error.strerror}; give the path of a readable file", param, ctx)


class Directory(click.ParamType[Path | None]):
    """A path that need not exist yet."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | None:
        return Path(value) if value else None


BOOL = click.BOOL
COUNT = click.IntRange(min=0)
PORT = click.IntRange(0, 65535)
DURATION, ADDRESS, CIDR, PORTS = Duration(), Address(), Cidr(), PortRange()
HOST_PORT, PAIR, TAINT, FILE, PATH = HostPort(), Pairs(), Taints(), Present(), Directory()
