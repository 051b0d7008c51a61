"""Flags of components as frozen dataclasses: a field is a flag, with its default, its type and its help text.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Flags:
        secure_port: int = flag(6443, "Port to serve on.", type=PORT)       ->  --secure-port

`component` makes the command of such a class. Flags behave as in the original: `--leader-elect`,
`--leader-elect=false` and `--leader_elect=false` all work, lists are separated by commas or the flag is repeated.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from pybernetes.cli.config_file import ConfigFile
from pybernetes.cli.run import log_level

_KEY = "flag"


@dataclasses.dataclass(frozen=True, slots=True)
class _Flag:
    help: str
    type: click.ParamType[Any]
    default: Any = None
    """as it would be written on the command line"""
    listed: bool = False
    shown: str = ""
    useless: bool = False
    whole: bool = False
    """a comma is part of a value, not the end of it"""


def flag(default: Any, help: str, *, type: click.ParamType[Any] = click.STRING, shown: str = "") -> Any:
    """A field that is a flag. `shown` is the default as the help names it, where the value itself says little."""
    value = None if default is None else type.convert(default, None, None)
    return dataclasses.field(default=value, metadata={_KEY: _Flag(help, type, default, shown=shown)})


def listed(default: tuple[Any, ...], help: str, *, type: click.ParamType[Any] = click.STRING, shown: str = "") -> Any:
    """A flag that takes several values: separated by commas, or the flag again. The field is a tuple."""
    return dataclasses.field(default=default, metadata={_KEY: _Flag(help, type, listed=True, shown=shown)})


def repeated(help: str) -> Any:
    """A flag that is given once for each value; commas belong to the value. The field is a tuple."""
    told = _Flag(help, click.STRING, listed=True, whole=True)
    return dataclasses.field(default=(), metadata={_KEY: told})


def ignored(help: str) -> Any:
    """A flag of the original that is accepted so that its command lines work, and that changes nothing here."""
    told = _Flag(f"Accepted, changes nothing: {help}", click.STRING, useless=True)
    return dataclasses.field(default=None, metadata={_KEY: told})


def option_name(field: str) -> str:
    """`secure_port` -> `--secure-port`"""
    return "--" + field.replace("_", "-")


class _Listed(click.ParamType[tuple[Any, ...]]):
    """Values separated by commas."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self._inner = inner
        self.name = f"{inner.name},..."

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return (self._inner.get_metavar(param, ctx) or self._inner.name.upper()) + ",..."

    def split_envvar_value(self, rv: str) -> list[str]:
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(self._inner.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip())


class _Whole(click.ParamType[tuple[str, ...]]):
    """One value, as it stands."""

    name = "text"

    def split_envvar_value(self, rv: str) -> list[str]:
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else (str(value),)


def _option(name: str, told: _Flag, default: Any) -> click.Option:
    text = told.help
    if told.shown:
        text = f"{text}  [default: {told.shown}]"
    elif told.listed and default:
        text = f"{text}  [default: {','.join(str(value) for value in default)}]"
    plain = {True: "true", False: "false"}.get(told.default, told.default) if _is_bool(told) else told.default
    extra: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if _is_bool(told) or told.useless else {}
    if _is_bool(told):
        extra["metavar"] = "BOOL"
    return click.Option(
        [option_name(name)],
        default=plain,
        multiple=told.listed,
        type=_Whole() if told.whole else _Listed(told.type) if told.listed else told.type,
        help=text,
        show_default=told.default not in (None, "") and not told.shown,
        **extra,
    )


def _is_bool(told: _Flag) -> bool:
    return isinstance(told.type, click.types.BoolParamType)


def options(flags: type[Any]) -> list[click.Option]:
    """The click options of a dataclass of flags."""
    return [_option(field.name, field.metadata[_KEY], field.default) for field in dataclasses.fields(flags)]


def collect(flags: type[Any], values: dict[str, Any]) -> tuple[Any, list[str]]:
    """The dataclass made of parsed values, and the names of flags that were given and change nothing."""
    found: dict[str, Any] = {}
    useless = []
    for field in dataclasses.fields(flags):
        told: _Flag = field.metadata[_KEY]
        value = values[field.name]
        if told.listed:
            value = tuple(item for group in value for item in group) if value else field.default
        if told.useless and value is not None:
            useless.append(option_name(field.name))
        found[field.name] = value
    return flags(**found), useless


class _Component(click.Command):
    """A command whose flags may also be written with one dash or with underscores, as Go programs take them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_doubled(word) for word in args])


def _doubled(word: str) -> str:
    """`-iface=eth0` -> `--iface=eth0`; short options stay."""
    name, equals, value = word.partition("=")
    if name.startswith("-") and len(name) > 2 and not name.lstrip("-")[:1].isdigit():
        name = "--" + name.lstrip("-").replace("_", "-")
    return name + equals + value


def component(
    name: str, flags: type[Any], run: Callable[[Any, str], None], *, env: str = "", file: ConfigFile | None = None
) -> click.Command:
    """The command of a component: parses its flags, warns of those that change nothing, calls `run(flags, log level)`.

    With `env` each flag can also be set by an environment variable with this prefix; with `file` by --config.
    """

    def callback(log_level: str, v: int | None, **values: Any) -> None:
        level = log_level if v is None else ("debug" if v >= 4 else "info")
        try:
            parsed, useless = collect(flags, values)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        for option in useless:
            click.echo(f"pybernetes {name}: {option} is accepted, and changes nothing here", err=True)
        run(parsed, level)

    settings: dict[str, Any] = {"max_content_width": 120}
    if env:
        settings["auto_envvar_prefix"] = env
    verbosity = click.Option(
        ["--v", "-v"], type=int, metavar="N", help="Log level of the original: 4 and more is debug."
    )
    command = _Component(
        name,
        params=[*options(flags), *([file.option()] if file else []), verbosity],
        callback=callback,
        help=run.__doc__,
        context_settings=settings,
    )
    return log_level(command)
