"""Flags of components as frozen dataclasses: a field is a flag, with its default, its type and its help text.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Flags:
        secure_port: int = flag(6443, "Port to serve on.", type=PORT)       ->  --secure-port

`component` makes the command of such a class. Flags behave as in Kubernetes: `--leader-elect`,
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
    """as written on the command line"""
    listed: bool = False
    shown: str = ""
    no_effect: bool = False
    whole_value: bool = False
    """whether commas belong to the value"""


def flag(default: Any, help: str, *, type: click.ParamType[Any] = click.STRING, shown: str = "") -> Any:
    """A field that is a flag. `shown` replaces the default in the help text, if the value itself says little."""
    value = None if default is None else type.convert(default, None, None)
    return dataclasses.field(default=value, metadata={_KEY: _Flag(help, type, default, shown=shown)})


def listed(default: tuple[Any, ...], help: str, *, type: click.ParamType[Any] = click.STRING, shown: str = "") -> Any:
    """A flag with several values, separated by commas or by repeating the flag. The field is a tuple."""
    return dataclasses.field(default=default, metadata={_KEY: _Flag(help, type, listed=True, shown=shown)})


def repeated(help: str) -> Any:
    """A flag that is repeated for each value; commas belong to the value. The field is a tuple."""
    flag_info = _Flag(help, click.STRING, listed=True, whole_value=True)
    return dataclasses.field(default=(), metadata={_KEY: flag_info})


def ignored(help: str) -> Any:
    """A flag of the Kubernetes component that is accepted for compatibility and has no effect."""
    flag_info = _Flag(f"Accepted without effect: {help}", click.STRING, no_effect=True)
    return dataclasses.field(default=None, metadata={_KEY: flag_info})


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


class _WholeValue(click.ParamType[tuple[str, ...]]):
    """A single value, unchanged."""

    name = "text"

    def split_envvar_value(self, rv: str) -> list[str]:
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else (str(value),)


def _option(name: str, flag_info: _Flag, default: Any) -> click.Option:
    text = flag_info.help
    if flag_info.shown:
        text = f"{text}  [default: {flag_info.shown}]"
    elif flag_info.listed and default:
        text = f"{text}  [default: {','.join(str(value) for value in default)}]"
    plain = (
        {True: "true", False: "false"}.get(flag_info.default, flag_info.default)
        if _is_bool(flag_info)
        else flag_info.default
    )
    extra: dict[str, Any] = (
        {"is_flag": False, "flag_value": "true"} if _is_bool(flag_info) or flag_info.no_effect else {}
    )
    if _is_bool(flag_info):
        extra["metavar"] = "BOOL"
    return click.Option(
        [option_name(name)],
        default=plain,
        multiple=flag_info.listed,
        type=_WholeValue()
        if flag_info.whole_value
        else _Listed(flag_info.type)
        if flag_info.listed
        else flag_info.type,
        help=text,
        show_default=flag_info.default not in (None, "") and not flag_info.shown,
        **extra,
    )


def _is_bool(flag_info: _Flag) -> bool:
    return isinstance(flag_info.type, click.types.BoolParamType)


def options(flags: type[Any]) -> list[click.Option]:
    """The click options of a dataclass of flags."""
    return [_option(field.name, field.metadata[_KEY], field.default) for field in dataclasses.fields(flags)]


def collect(flags: type[Any], values: dict[str, Any]) -> tuple[Any, list[str]]:
    """The dataclass of the parsed values, and the names of given flags without effect."""
    found: dict[str, Any] = {}
    no_effect = []
    for field in dataclasses.fields(flags):
        flag_info: _Flag = field.metadata[_KEY]
        value = values[field.name]
        if flag_info.listed:
            value = tuple(item for group in value for item in group) if value else field.default
        if flag_info.no_effect and value is not None:
            no_effect.append(option_name(field.name))
        found[field.name] = value
    return flags(**found), no_effect


class _Component(click.Command):
    """A command whose flags may also have one dash or underscores, as in Go programs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_doubled(word) for word in args])


def _doubled(word: str) -> str:
    """`-iface=eth0` -> `--iface=eth0`; short options stay unchanged."""
    name, equals, value = word.partition("=")
    if name.startswith("-") and len(name) > 2 and not name.lstrip("-")[:1].isdigit():
        name = "--" + name.lstrip("-").replace("_", "-")
    return name + equals + value


def component(
    name: str, flags: type[Any], run: Callable[[Any, str], None], *, env: str = "", file: ConfigFile | None = None
) -> click.Command:
    """The command of a component: parses its flags, warns of flags without effect, calls `run(flags, log level)`.

    With `env`, environment variables with this prefix set flags, too; with `file`, --config does.
    """

    def callback(log_level: str, v: int | None, **values: Any) -> None:
        level = log_level if v is None else ("debug" if v >= 4 else "info")
        try:
            parsed, no_effect = collect(flags, values)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        for option in no_effect:
            click.echo(f"pybernetes {name}: {option} is accepted but has no effect", err=True)
        run(parsed, level)

    settings: dict[str, Any] = {"max_content_width": 120}
    if env:
        settings["auto_envvar_prefix"] = env
    verbosity = click.Option(
        ["--v", "-v"], type=int, metavar="N", help="Log level as in Kubernetes: 4 and above is debug."
    )
    command = _Component(
        name,
        params=[*options(flags), *([file.option()] if file else []), verbosity],
        callback=callback,
        help=run.__doc__,
        context_settings=settings,
    )
    return log_level(command)
