"""Ages as kubectl shows them: the older, the coarser."""

from datetime import datetime

from pybernetes.api.time import parse

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def human(seconds: float) -> str:
    """`5s`, `3m20s`, `47m`, `5h12m`, `2d3h`, `30d`, `2y30d`; `0s` for times up to a second in the future."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 3 * _HOUR:
        return _two(whole, _MINUTE, "m", 1, "s", whole < 10 * _MINUTE)
    if whole < 2 * _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "m", whole < 8 * _HOUR)
    if whole < 2 * _YEAR:
        return _two(whole, _DAY, "d", _HOUR, "h", whole < 8 * _DAY)
    return _two(whole, _YEAR, "y", _DAY, "d", whole < 8 * _YEAR)


def _two(seconds: int, unit: int, letter: str, small: int, small_letter: str, fine: bool) -> str:
    """The time in `unit`s, followed by the remainder in the next smaller unit if `fine`."""
    rest = seconds % unit // small if fine else 0
    return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")


def age(timestamp: str, now: datetime) -> str:
    """The age of a Time or MicroTime; `<unknown>` when it is not set."""
    return human((now - parse(timestamp)).total_seconds()) if timestamp else "<unknown>"
